import { lookup } from "node:dns/promises";
import ipaddr from "ipaddr.js";

/** An address that must not be called: it is not the public internet's. The message says which, and why. */
export class ForbiddenAddress extends Error {
  override readonly name = "ForbiddenAddress";
}

/**
 * Finds the address of a URL's host, for the very connection that is made with it: a name that is looked up again could
 * answer otherwise. A target in a private range would let who may add an endpoint reach into our network.
 * @throws ForbiddenAddress
 */
export async function publicAddress(
  url: URL,
  allowPrivate: boolean,
): Promise<{ address: string; family: number }> {
  if (url.protocol !== "https:" && !(allowPrivate && url.protocol === "http:")) {
    throw new ForbiddenAddress(`${url.protocol}//: webhooks are sent by https only`);
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const found = await lookup(host, { all: true });
  for (const { address } of found) {
    const range = rangeOf(address);
    if (range !== "unicast" && !allowPrivate) throw new ForbiddenAddress(`${host} is a ${range} address`);
  }
  const [first] = found;
  if (!first) throw new ForbiddenAddress(`${host} has no address`);
  return first;
}

/** IPv6 addresses that lead to the IPv4 one within them, and where it stands: NAT64, well known and local, and 6to4. */
const TRANSLATIONS: readonly (readonly [prefix: string, bits: number, at: number])[] = [
  ["64:ff9b::", 96, 12],
  ["64:ff9b:1::", 48, 12],
  ["2002::", 16, 2],
];

/** What an address is for, by the name that ipaddr.js has for it: "unicast" is a public one. */
export function rangeOf(text: string): string {
  const address = ipaddr.process(text);
  const range = address.range();
  if (address.kind() === "ipv4") return range;
  for (const [prefix, bits, at] of TRANSLATIONS) {
    if (address.match(ipaddr.parse(prefix), bits))
      return ipaddr.fromByteArray(address.toByteArray().slice(at, at + 4)).range();
  }
  // Only what is given out as global unicast is public: not `::127.0.0.1`, which some still take for IPv4.
  return range === "unicast" && !address.match(ipaddr.parse("2000::"), 3) ? "reserved" : range;
}
