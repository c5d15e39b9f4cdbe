// Validates an AsyncAPI document and, where a folder is named, writes TypeScript interfaces of its payloads into it:
// node asyncapi.mjs DOCUMENT [FOLDER]
import fs from "node:fs";
import path from "node:path";
import { TypeScriptGenerator } from "@asyncapi/modelina";
import { Parser, fromFile } from "@asyncapi/parser";

const [document, folder] = process.argv.slice(2);

// A newer AsyncAPI than 3.0 is none that every tool of a partner reads.
const MAY_STAND = new Set(["asyncapi-latest-version"]);
const { diagnostics } = await fromFile(new Parser(), document).parse();
const problems = diagnostics.filter((each) => !MAY_STAND.has(each.code));
for (const { code, path: where, message } of problems) {
  console.error(`${code} at ${where.join("/")}: ${message}`);
}
if (problems.length > 0) process.exit(1);
if (!folder) process.exit(0);

const generator = new TypeScriptGenerator({ modelType: "interface", rawPropertyNames: true, mapType: "record" });
const input = JSON.parse(fs.readFileSync(document, "utf8"));
const models = await generator.generateCompleteModels(input, { moduleSystem: "ESM", exportType: "named" });
for (const { modelName, result } of models) {
  fs.writeFileSync(path.join(folder, `${modelName}.ts`), result);
  console.log(modelName);
}
