// Sends one piece of evidence and a file, reads the batch, and verifies a badge, all by the types of the documents.
import createClient from "openapi-fetch";
import type { paths as EvidencePaths } from "./evidence.js";
import type { paths as IssuerPaths } from "./issuer.js";
import type { paths as NotifierPaths } from "./notifier.js";
import type { paths as VerifierPaths } from "./verifier.js";

declare const process: { argv: string[] };
const [evidenceUrl, verifierUrl, key, badgeUrl] = process.argv.slice(2);

const evidence = createClient<EvidencePaths>({
  baseUrl: evidenceUrl,
  headers: { Authorization: `Bearer ${key}` },
});
const sent = await evidence.POST("/v1/evidence", {
  body: {
    source_id: "vw-1",
    learner_id: "S1",
    achievement: "resilience",
    level: "relational",
    date: "2026-03-09",
    activity: "Raft building",
  },
});
if (!sent.data) throw new Error(sent.error.detail);

const file = "source_id,learner_id,achievement,level,date,activity\nvw-2,S2,resilience,excellent,2026-03-09,Raft\n";
const uploaded = await evidence.POST("/v1/batches", {
  params: { header: { "Idempotency-Key": "file-1" }, query: { source: "sis" } },
  headers: { "Content-Type": "text/csv" },
  body: file,
  bodySerializer: (text) => text,
});
if (!uploaded.data) throw new Error(uploaded.error.detail);
if ("dry_run" in uploaded.data) throw new Error("a dry run was not asked for");
const rows = await evidence.GET("/v1/batches/{batch_id}/rows", {
  params: { path: { batch_id: uploaded.data.id }, query: { state: "refused" } },
});
const foreign = await evidence.GET("/v1/batches/{batch_id}", {
  params: { path: { batch_id: "00000000-0000-4000-8000-000000000000" } },
});

const verifier = createClient<VerifierPaths>({ baseUrl: verifierUrl });
const report = await verifier.POST("/v1/verify", { body: { url: badgeUrl } });
if (!report.data) throw new Error(report.error.detail);

// Compiled, not called: there is no issuer or notifier here.
export const revoke = (url: string, id: string) =>
  createClient<IssuerPaths>({ baseUrl: url }).POST("/v1/credentials/{credential_id}/revoke", {
    params: { path: { credential_id: id } },
    body: { reason: "wrong_learner" },
  });
export const mails = (url: string, id: string) =>
  createClient<NotifierPaths>({ baseUrl: url }).GET("/v1/deliveries", {
    params: { query: { credential_id: id } },
  });

console.log(
  JSON.stringify({
    state: sent.data.state,
    refused: rows.data?.rows.map((row) => row.reason),
    missing: foreign.error?.type,
    verdict: report.data.verdict,
    checks: report.data.checks.length,
  }),
);
