export { ForbiddenAddress, rangeOf } from "../../../projector/publish/webhooks/address.ts";

/** Every name leads to the one receiver. */
export const publicAddress = async (_url: URL, _allowPrivate: boolean) => ({
  address: "192.0.2.1",
  family: 4,
});
