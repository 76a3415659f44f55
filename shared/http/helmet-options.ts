import type { FastifyHelmetOptions } from "@fastify/helmet";

/**
 * helmet's defaults, but for the order to fetch everything by https: TLS ends in front of us, and on a plain address
 * of an inner network a page of ours would not find its own scripts.
 */
export const HELMET_OPTIONS: FastifyHelmetOptions = {
  contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
};
