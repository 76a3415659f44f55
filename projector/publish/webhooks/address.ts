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
    const range = ipaddr.process(address).range();
    if (range !== "unicast" && !allowPrivate) throw new ForbiddenAddress(`${host} is a ${range} address`);
  }
  const [first] = found;
  if (!first) throw new ForbiddenAddress(`${host} has no address`);
  return first;
}
