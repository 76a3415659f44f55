import { once } from "node:events";
import { createServer } from "node:net";
import { type Config, DEFAULT_OPS_PORT } from "../config.ts";

/** The API's port, found free. @throws Error naming one to choose instead */
export const apiPort = ({ host, port }: Config): Promise<number> => freePort("PORT", host, port);

/** The operator's port: the default gives way where it is taken, one that was asked for does not. */
export async function opsPort({ ops: { host, port } }: Config): Promise<number> {
  if (port !== undefined) return freePort("OPS_PORT", host, port);
  return freePort("OPS_PORT", host, DEFAULT_OPS_PORT).catch(() => freePort("OPS_PORT", host, 0));
}

async function freePort(setting: string, host: string, port: number): Promise<number> {
  const probe = createServer();
  try {
    probe.listen(port, host);
    await once(probe, "listening");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const free = port === 65_535 ? 3_000 : port + 1;
    throw new Error(
      code === "EADDRINUSE"
        ? `port ${port} is taken. Choose another one, for example: ${setting}=${free} npm start`
        : `can't listen on ${host}:${port}: ${message}`,
    );
  }
  const { port: found } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  return found;
}
