"""JSON Schemas of what travels, as its readers need them: fields that are added later are no fault to them."""

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema


class ReadersSchema(GenerateJsonSchema):
    """Writes what JSON Schema alone knows, and allows what is added later."""

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """Return it without `discriminator`, which OpenAPI knows, and AsyncAPI in another form."""
        made = super().tagged_union_schema(schema)
        made.pop("discriminator", None)
        return made

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Return it without closing it: what we read strictly, others need not."""
        made = super().model_schema(schema)
        made.pop("additionalProperties", None)
        return made
