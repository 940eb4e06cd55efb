// Bundles, minifies and fingerprints what the pages load, into src/firehose/web/static/built, with a manifest that
// maps names to fingerprinted files. Started by tools/build_assets.py; the packages come from package-lock.json.
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const from = path.join(root, "src/firehose/web/static");
const to = path.join(from, "built");
const manifest = {};

await rm(to, { recursive: true, force: true });
await mkdir(to, { recursive: true });

const common = {
  absWorkingDir: root, bundle: true, minify: true, metafile: true, outdir: to, outbase: from,
  entryNames: "[name]-[hash]", chunkNames: "part-[hash]", logLevel: "warning", legalComments: "none",
  nodePaths: [path.join(root, "node_modules")],
};
const note = ({ metafile }) => {
  for (const [file, { entryPoint }] of Object.entries(metafile.outputs)) {
    if (entryPoint && !file.endsWith(".map")) manifest[path.basename(entryPoint)] = path.basename(file);
  }
};

// CSS nesting is kept as written: lowering it would change how strongly rules count.
note(await build({ ...common, entryPoints: [path.join(from, "css/app.css"), path.join(from, "css/chart.css")], target: "esnext" }));
note(await build({ ...common, entryPoints: [path.join(from, "js/main.js")], format: "esm", splitting: true, target: "es2022" }));
note(await build({ ...common, entryPoints: [path.join(from, "js/theme.js")], format: "iife", target: "es2022" }));

for (const name of ["icons.svg", "mark.svg"]) {
  const bytes = await readFile(path.join(from, name));
  const print = createHash("sha256").update(bytes).digest("hex").slice(0, 8).toUpperCase();
  manifest[name] = name.replace(".", `-${print}.`);
  await writeFile(path.join(to, manifest[name]), bytes);
}
await writeFile(path.join(to, "manifest.json"), JSON.stringify(manifest, null, 1) + "\n");
