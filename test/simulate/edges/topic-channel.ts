import type { Channel, Outcome } from "../../../projector/publish/outbox-reader.ts";
import type { TopicRows } from "../../../projector/publish/topic-channel.ts";
import { delay } from "../../../shared/clock.ts";
import { currentMachine } from "../machine.ts";
import { currentOutside, PARTITIONS } from "../outside.ts";

export { bytesOf, REQUEST_BYTES, TOO_LARGE_REASON } from "../../../projector/publish/topic-channel.ts";

/** A topic in this process: what arrives there, and what is learned of it, are as the broker's mood is. */
export function createTopicChannel<Row>({ topic, keyOf, outgoing }: TopicRows<Row>): Channel<Row> {
  const outside = currentOutside();
  let closed = false;
  const lanes = Array.from({ length: PARTITIONS }, (_, index) => String(index));
  return {
    laneOf(row) {
      const key = String(keyOf(row) ?? "");
      return String([...key].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % PARTITIONS);
    },
    lanes: () => lanes,
    atOnce: () => 20,
    async prepare() {
      if (outside.broker === "down") throw new Error("the broker can't be reached");
    },
    async pass(_lane, rows, told) {
      const machine = currentMachine();
      const passed: [Row, Outcome][] = [];
      await delay(
        outside.broker === "slow" ? machine.random.integer(500, 3_000) : machine.random.integer(0, 8),
      );
      // Whoever hangs up takes back what the broker has not read.
      if (closed || outside.broker === "down") throw new Error("the broker can't be reached");
      const lost = outside.broker === "losing answers" && machine.random.chance(0.5);
      const written = lost ? machine.random.integer(0, rows.length) : rows.length;
      for (const row of rows.slice(0, written)) {
        if (outside.broker === "refusing" && machine.random.chance(0.3)) {
          passed.push([row, { reason: "the broker refuses it", nextTryAt: () => null }]);
          continue;
        }
        const { message, end } = outgoing(row);
        outside.publish(topic, {
          key: message.key === null || message.key === undefined ? null : message.key.toString(),
          value: message.value === null ? null : message.value.toString(),
          headers: Object.fromEntries(
            Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]),
          ),
          at: machine.now,
        });
        end();
        passed.push([row, "passed"]);
      }
      await delay(machine.random.integer(0, 8));
      if (lost) throw new Error("the connection was lost before the answer");
      for (const [row, outcome] of passed) told(row, outcome);
    },
    async close() {
      closed = true;
    },
  };
}
