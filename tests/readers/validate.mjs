// node validate.mjs FILE.glb: Khronos' validator; its report on stdout.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const validator = createRequire(import.meta.url)(join(process.env.A2P_READERS, "gltf-validator"));
console.log(JSON.stringify(await validator.validateBytes(new Uint8Array(readFileSync(process.argv[2])))));
