import type { FastifyInstance } from "fastify";
import { monotonic } from "../../shared/clock.ts";
import { createLog } from "../../shared/log.ts";
import { examine } from "../doctor/examine.ts";
import type { Finding } from "../doctor/finding.ts";
import type { RouteParts } from "./ops-routes.ts";

/** Milliseconds that findings are good for: a look asks the broker. */
const GOOD_FOR_MS = 60_000;

/** What `lead-view doctor` finds, for all who look at the page within a minute. */
export function findingRoutes(server: FastifyInstance, { config }: Pick<RouteParts, "config">): void {
  let looking: Promise<Finding[]> | undefined;
  let lookedAt = 0;
  server.get<{ Querystring: { readonly anew?: string } }>("/ops/api/findings", ({ query }) => {
    const isOld = query.anew !== undefined || monotonic() - lookedAt > GOOD_FOR_MS;
    if (looking === undefined || (isOld && lookedAt > 0)) {
      lookedAt = 0;
      looking = examine(config, createLog("projector", "silent")).finally(() => {
        lookedAt = monotonic();
      });
    }
    return looking;
  });
}
