/** Writes texts, numbers and bytes one behind the other; they are read back in the same order. */
export interface Packer {
  flag(value: boolean): void;
  number(value: number): void;
  text(value: string | null): void;
  bytes(value: Buffer | null): void;
  /** A text, or its bytes. */
  utf8(value: string | Buffer | null): void;
  /** Bytes that were written. */
  length(): number;
  list<T>(values: readonly T[], pack: (packer: Packer, value: T) => void): void;
  /** All that was written, in memory that can be handed over to another thread; behind it is room. */
  finish(): ArrayBuffer;
}

/** A UTF-16 unit takes three bytes of UTF-8 at most. */
const MOST_BYTES_A_UNIT = 3;
/** The length of what is null. */
const NONE = 0xffffffff;

/** @param room memory to begin with; where it is full, larger takes its place */
export function createPacker(room: ArrayBuffer): Packer {
  let buffer = Buffer.from(room);
  let at = 0;
  const reserve = (bytes: number) => {
    if (at + bytes <= buffer.length) return;
    const larger = Buffer.from(new ArrayBuffer(Math.max(2 * buffer.length, at + bytes)));
    buffer.copy(larger, 0, 0, at);
    buffer = larger;
  };
  const writeLength = (value: number) => {
    reserve(4);
    buffer.writeUInt32LE(value, at);
    at += 4;
  };
  const packer: Packer = {
    flag(value) {
      reserve(1);
      buffer[at++] = value ? 1 : 0;
    },
    number(value) {
      reserve(8);
      at = buffer.writeDoubleLE(value, at);
    },
    text(value) {
      if (value === null) {
        writeLength(NONE);
        return;
      }
      reserve(4 + value.length * MOST_BYTES_A_UNIT);
      const written = buffer.write(value, at + 4);
      buffer.writeUInt32LE(written, at);
      at += 4 + written;
    },
    bytes(value) {
      writeLength(value?.length ?? NONE);
      if (value === null) return;
      reserve(value.length);
      at += value.copy(buffer, at);
    },
    utf8: (value) => (typeof value === "string" ? packer.text(value) : packer.bytes(value)),
    length: () => at,
    list(values, pack) {
      writeLength(values.length);
      for (const value of values) pack(packer, value);
    },
    finish: () => buffer.buffer as ArrayBuffer,
  };
  return packer;
}

/** Reads what a packer wrote. */
export interface Unpacker {
  flag(): boolean;
  number(): number;
  text(): string | null;
  /** A part of the bytes that are read from. */
  bytes(): Buffer | null;
  list<T>(unpack: (unpacker: Unpacker) => T): T[];
}

export function createUnpacker(bytes: ArrayBuffer): Unpacker {
  const buffer = Buffer.from(bytes);
  let at = 0;
  const length = () => {
    at += 4;
    return buffer.readUInt32LE(at - 4);
  };
  const unpacker: Unpacker = {
    flag: () => buffer[at++] === 1,
    number() {
      at += 8;
      return buffer.readDoubleLE(at - 8);
    },
    text() {
      const bytes = length();
      if (bytes === NONE) return null;
      at += bytes;
      return buffer.toString("utf8", at - bytes, at);
    },
    bytes() {
      const bytes = length();
      if (bytes === NONE) return null;
      at += bytes;
      return buffer.subarray(at - bytes, at);
    },
    list: (unpack) => Array.from({ length: length() }, () => unpack(unpacker)),
  };
  return unpacker;
}
