// node assimp.mjs IN.fbx OUT.json: the file as assimp reads it, in assimp's own JSON.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [file, out] = process.argv.slice(2);
const assimp = await createRequire(import.meta.url)(join(process.env.A2P_READERS, "assimpjs"))();
const list = new assimp.FileList();
list.AddFile("scene.fbx", new Uint8Array(readFileSync(file)));
const result = assimp.ConvertFileList(list, "assjson");
if (!result.IsSuccess()) throw new Error(result.GetErrorCode());
writeFileSync(out, result.GetFile(0).GetContent());
