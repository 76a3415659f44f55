/** An answer that is an error: RFC 9457 problem details. */
export interface Problem {
  readonly type: "about:blank";
  readonly title: string;
  readonly status: number;
  readonly detail: string;
}

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

export const problem = (status: number, detail: string): Problem => ({
  type: "about:blank",
  title: TITLES[status] ?? "Error",
  status,
  detail,
});

/** Thrown by a route or hook to answer with a problem. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly statusCode: number;

  constructor(status: number, detail: string) {
    super(detail);
    this.statusCode = status;
  }
}

export const PROBLEM_TYPE = "application/problem+json; charset=utf-8";
