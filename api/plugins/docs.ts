import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { openApiDocument } from "../openapi.ts";

/** /openapi.json, and a page at /docs that shows it. */
export async function docs(server: FastifyInstance): Promise<void> {
  const document = openApiDocument();
  await server.register(swagger, { mode: "static", specification: { document: document as never } });
  await server.register(swaggerUi, { routePrefix: "/docs" });
  server.get("/openapi.json", { schema: { hide: true } as never }, () => document);
}
