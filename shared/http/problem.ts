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
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  417: "Expectation Failed",
  421: "Misdirected Request",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  508: "Loop Detected",
};

export const titleOf = (status: number): string => TITLES[status] ?? "Error";

export const problem = (status: number, detail: string): Problem => ({
  type: "about:blank",
  title: titleOf(status),
  status,
  detail,
});

/** Thrown by a route or hook to answer with a problem. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;

  /** @param headers further headers of the answer, such as `retry-after` */
  constructor(status: number, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.statusCode = status;
    this.headers = headers;
  }
}

export const PROBLEM_TYPE = "application/problem+json; charset=utf-8";
