import helmet from "@fastify/helmet";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { HELMET_OPTIONS } from "../../shared/http/helmet-options.ts";
import { openApiDocument } from "../openapi.ts";

/** /openapi.json, and a page at /docs that shows it, with the headers that a page needs. */
export async function docs(server: FastifyInstance): Promise<void> {
  const document = openApiDocument();
  server.get("/openapi.json", { schema: { hide: true } as never }, (_request, reply) => {
    reply.send(document);
  });
  await server.register(async (pages) => {
    await pages.register(helmet, HELMET_OPTIONS);
    await pages.register(swagger, { mode: "static", specification: { document: document as never } });
    await pages.register(swaggerUi, { routePrefix: "/docs", uiConfig: UI });
  });
}

/** What a reader looks for first: the operations, opened one by one, with the contract's example as it is written. */
const UI = { docExpansion: "list", defaultModelRendering: "example", defaultModelsExpandDepth: 0 } as const;
