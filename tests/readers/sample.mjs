// node sample.mjs FILE.fbx|FILE.glb FPS COUNT OUT.json: what three.js' loaders make of a file, frame by frame.
// bones: name -> [[x, y, z, w of the world's rotation, x, y, z of its place]]; morphs: name -> [value].
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const modules = process.env.A2P_READERS;
const load = (name) => import(pathToFileURL(join(modules, "three", name)).href);
const THREE = await load("build/three.module.js");
globalThis.self = globalThis;
globalThis.window = globalThis;
globalThis.document = { createElementNS: () => ({ addEventListener() {}, style: {} }) };

const [file, fps, count, out] = process.argv.slice(2);
const bytes = readFileSync(file);
const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
let scene, clips;
if (file.endsWith(".fbx")) {
  const { FBXLoader } = await load("examples/jsm/loaders/FBXLoader.js");
  scene = new FBXLoader().parse(buffer, "");
  clips = scene.animations;
} else {
  const { GLTFLoader } = await load("examples/jsm/loaders/GLTFLoader.js");
  const read = await new Promise((done, fail) => new GLTFLoader().parse(buffer, "", done, fail));
  scene = read.scene;
  clips = read.animations;
}
const bones = {}, morphs = {};
const mixer = new THREE.AnimationMixer(scene);
for (const clip of clips) mixer.clipAction(clip).setLoop(THREE.LoopOnce).play().clampWhenFinished = true;
for (let frame = 0; frame < Number(count); frame++) {
  mixer.setTime(frame / Number(fps));
  scene.updateMatrixWorld(true);
  scene.traverse((thing) => {
    const place = new THREE.Vector3(), turn = new THREE.Quaternion(), scale = new THREE.Vector3();
    thing.matrixWorld.decompose(place, turn, scale);
    const turns = (bones[thing.userData.name ?? thing.userData.originalName ?? thing.name] ??= []);
    if (turns.length === frame) turns.push([...turn.toArray(), ...place.toArray()]); // FBXLoader nests a bone in itself for each mesh it moves
    for (const [name, index] of Object.entries(thing.morphTargetDictionary ?? {})) {
      const row = (morphs[name] ??= []);
      if (row.length === frame) row.push(thing.morphTargetInfluences[index]); // a mesh comes in one part per material
    }
  });
}
writeFileSync(out, JSON.stringify({ clips: clips.map((c) => [c.name, c.duration]), bones, morphs }));
