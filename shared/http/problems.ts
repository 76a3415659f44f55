import type { FastifyError, FastifyInstance } from "fastify";
import { PROBLEM_TYPE, ProblemError, problem } from "./problem.ts";

interface Told {
  readonly status: number;
  readonly detail: string;
}

/**
 * Answers every error as problem details; what went wrong inside is for the log, not for the client.
 * @param known what a server has to say of errors of its own; undefined for all others
 */
export function problems(
  server: FastifyInstance,
  known: (error: Error) => Told | undefined = () => undefined,
): void {
  server.setErrorHandler((error: FastifyError | ProblemError, request, reply) => {
    const { status, detail } = known(error) ?? told(error);
    if (status === 500)
      request.log.error({ error: error.message, code: (error as FastifyError).code }, "request failed");
    return reply.code(status).type(PROBLEM_TYPE).send(problem(status, detail));
  });
  server.setNotFoundHandler((_request, reply) =>
    reply.code(404).type(PROBLEM_TYPE).send(problem(404, "There is nothing at this address.")),
  );
}

function told(error: FastifyError | ProblemError): Told {
  if (error instanceof ProblemError) return { status: error.statusCode, detail: error.message };
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500) return { status, detail: "The request can't be understood." };
  return { status: 500, detail: "Something went wrong on our side." };
}
