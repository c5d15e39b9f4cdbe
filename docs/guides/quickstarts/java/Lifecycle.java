import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Follows what becomes of credentials: java Lifecycle.java BROKERS GROUP [SINCE], SINCE as in 2026-11-01T00:00:00Z. */
public class Lifecycle {
    private static final ObjectMapper JSON = new ObjectMapper();
    // Yours is a unique column of your database, written together with what the event changes.
    private static final Set<String> SEEN = new HashSet<>();
    private static final Set<String> REVOKED = new HashSet<>();

    public static void main(String[] args) throws Exception {
        Map<String, Object> settings = new HashMap<>(Map.of(
            "bootstrap.servers", args[0],
            "group.id", args[1],
            "auto.offset.reset", "earliest",
            "enable.auto.commit", false));
        String user = System.getenv("KAFKA_USER");
        if (user != null) { // an authority's brokers; those of `make up` know no users
            settings.put("security.protocol", "SASL_SSL");
            settings.put("sasl.mechanism", "SCRAM-SHA-512");
            settings.put("sasl.jaas.config",
                "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"%s\" password=\"%s\";"
                    .formatted(user, System.getenv("KAFKA_PASSWORD")));
        }
        var bytes = new ByteArrayDeserializer();
        var consumer = new KafkaConsumer<byte[], byte[]>(settings, bytes, bytes);
        consumer.subscribe(List.of("credential.lifecycle.v1"), new ConsumerRebalanceListener() {
            @Override
            public void onPartitionsRevoked(Collection<TopicPartition> partitions) {}

            @Override
            public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                if (args.length > 2) rewind(consumer, partitions, Instant.parse(args[2]));
            }
        });
        while (true) {
            ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(500));
            for (ConsumerRecord<byte[], byte[]> record : records) handle(record);
            if (!records.isEmpty()) consumer.commitSync(); // what they changed is stored by now
        }
    }

    /** Begin with the first record that was published at this time or later, in each partition. */
    private static void rewind(KafkaConsumer<?, ?> consumer, Collection<TopicPartition> partitions, Instant since) {
        Map<TopicPartition, Long> times = new HashMap<>();
        for (TopicPartition partition : partitions) times.put(partition, since.toEpochMilli());
        consumer.offsetsForTimes(times).forEach((partition, found) -> {
            if (found == null) consumer.seekToEnd(List.of(partition));
            else consumer.seek(partition, found.offset());
        });
    }

    private static void handle(ConsumerRecord<byte[], byte[]> record) throws Exception {
        if (record.value() == null) return; // a tombstone: on a compacted topic its key is erased
        String id = header(record, "ce_id");
        if (SEEN.contains(id)) return;
        switch (header(record, "ce_type")) {
            case "org.bowerbirdbadges.credential.revoked.v1" -> {
                JsonNode event = JSON.readTree(record.value());
                REVOKED.add(event.get("credential_id").asText());
                print("revoked", event);
            }
            case "org.bowerbirdbadges.credential.taken-down.v1" -> print("delete", JSON.readTree(record.value()));
            case "org.bowerbirdbadges.credential.issued.v1" -> {
                JsonNode event = JSON.readTree(record.value());
                // It may have been revoked first.
                if (!REVOKED.contains(event.get("credential_id").asText())) print("issued", event);
            }
            default -> {} // a type of tomorrow, which is none of our business
        }
        SEEN.add(id);
    }

    private static String header(ConsumerRecord<?, ?> record, String name) {
        var header = record.headers().lastHeader(name);
        return header == null ? "" : new String(header.value(), StandardCharsets.UTF_8);
    }

    private static void print(String what, JsonNode event) {
        System.out.println(what + " " + event.get("credential_id").asText() + " " + event.get("achievement").asText());
    }
}
