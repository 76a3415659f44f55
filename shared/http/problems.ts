import type { FastifyError, FastifyInstance } from "fastify";
import type { Logger } from "../log.ts";
import { PROBLEM_TYPE, ProblemError, problem } from "./problem.ts";

/**
 * Answers every error as problem details; what went wrong inside is for the log, not for the client.
 * @param known what a server has to say of errors of its own; undefined for all others
 */
export function problems(
  server: FastifyInstance,
  log: Logger,
  known: (error: Error) => ProblemError | undefined = () => undefined,
): void {
  server.setErrorHandler((error: FastifyError | ProblemError, request, reply) => {
    const { statusCode: status, message: detail, headers } = known(error) ?? problemOf(error);
    if (status === 500) {
      const { message, code } = error as FastifyError;
      log.error({ error: message, code, requestId: request.id }, "request failed");
    }
    return reply.code(status).headers(headers).type(PROBLEM_TYPE).send(problem(status, detail));
  });
}

function problemOf(error: FastifyError | ProblemError): ProblemError {
  if (error instanceof ProblemError) return error;
  const status = error.statusCode ?? 500;
  if (status === 413) return new ProblemError(413, "The request's body is too large.");
  if (status >= 400 && status < 500) return new ProblemError(status, "The request can't be understood.");
  return new ProblemError(500, "Something went wrong on our side.");
}
