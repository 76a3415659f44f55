// docker-compose.yml, as far as it can be held to something without pulling images.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { readConfig } from "../../../shared/config.ts";
import { parseShard } from "../../../shared/shard.ts";

interface Service {
  readonly profiles?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, object>>;
}

const read = (name: string) => readFileSync(new URL(`../../../${name}`, import.meta.url), "utf8");
const { services, volumes } = parse(read("docker-compose.yml"), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
};
const named = (name: string) => services[name] as Service;
const of = (profile: string | undefined) =>
  Object.keys(services).filter((name) => named(name).profiles?.[0] === profile);
/** As compose fills in variables that are not set. */
const settingsOf = (name: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(named(name).environment ?? {}).map(([key, value]) => [
      key,
      String(value).replaceAll(/\$\{\w+:-(.*?)\}/g, "$1"),
    ]),
  );
/** All that a service needs, itself among it. */
const withNeeds = (name: string): string[] => [
  name,
  ...Object.keys(named(name).depends_on ?? {}).flatMap(withNeeds),
];

describe("docker-compose.yml", () => {
  test("without a profile it is a broker, a projector and an API, and the topics' maker", () => {
    expect(of(undefined)).toEqual(["kafka", "topics", "projector", "api"]);
    expect(withNeeds("api").sort()).toEqual(["api", "kafka", "projector", "topics"]);
  });

  test("the front of the profile needs two shards and a replica, and neither of the plain services", () => {
    const needed = new Set(withNeeds("front"));
    expect([...needed].filter((name) => named(name).profiles === undefined).sort()).toEqual([
      "kafka",
      "topics",
    ]);
    expect(of("shards").every((name) => needed.has(name))).toBe(true);
  });

  test("each service's settings are right, and its API's are its projector's", () => {
    for (const name of of("shards").filter((one) => one !== "front")) {
      const { shard, shardUrls, role } = readConfig(settingsOf(name));
      if (role !== "replica") expect(shardUrls).toHaveLength(shard.count);
    }
    for (const name of ["0", "1", "replica"]) {
      const [projector, api] = [named(`projector-${name}`), named(`api-${name}`)];
      expect(api.environment).toEqual(projector.environment);
      expect(api.volumes).toEqual(projector.volumes);
    }
    const shards = [0, 1].map((index) => parseShard(named(`projector-${index}`).environment?.SHARD ?? ""));
    expect(shards).toEqual([0, 1].map((index) => ({ index, count: 2 })));
  });

  test("no two services that start together publish one port, and each volume is there", () => {
    for (const profile of [undefined, "shards"]) {
      const ports = of(profile).flatMap((name) => named(name).ports ?? []);
      expect(new Set(ports).size).toBe(ports.length);
    }
    const mounted = Object.values(services).flatMap((service) => service.volumes ?? []);
    const wanted = mounted.map((one) => one.split(":")[0] as string).filter((one) => !one.startsWith("."));
    expect(wanted.filter((one) => !(one in volumes))).toEqual([]);
  });

  test("the front passes on to each of the profile's APIs", () => {
    const front = read("shared/deploy/front.conf");
    const servers = [...front.matchAll(/server ([\w-]+):3000 /g)].map(([, name]) => name);
    expect(servers).toEqual(of("shards").filter((name) => name.startsWith("api-")));
  });
});

const hasNginx = spawnSync("nginx", ["-v"]).error === undefined;

test.skipIf(!hasNginx)("nginx accepts the front's configuration", () => {
  const folder = mkdtempSync(join(tmpdir(), "front-"));
  const front = read("shared/deploy/front.conf").replaceAll(/api-[\w]+:3000/g, "127.0.0.1:3000");
  writeFileSync(join(folder, "front.conf"), front);
  const main = `error_log ${folder}/error.log; pid ${folder}/pid; events {} http { access_log off; include ${folder}/front.conf; }`;
  writeFileSync(join(folder, "nginx.conf"), main);
  const { status, stderr } = spawnSync("nginx", ["-t", "-c", join(folder, "nginx.conf")], {
    encoding: "utf8",
  });
  rmSync(folder, { recursive: true, force: true });
  expect([stderr, status]).toEqual([expect.stringContaining("syntax is ok"), 0]);
});
