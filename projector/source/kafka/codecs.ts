import { promisify } from "node:util";
import { gunzip, gzip, zstdCompress, zstdDecompress } from "node:zlib";
import kafkajs from "kafkajs";
import { compressFrame, decompressFrame } from "lz4-napi";
import { compress, uncompress } from "snappy";

const { CompressionCodecs, CompressionTypes } = kafkajs;

/** The block framing that Java producers put around snappy (xerial's): a magic, two versions, then sized blocks. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER = XERIAL_MAGIC.length + 8;

/** Teaches kafkajs all codecs of Kafka, so that no producer's choice stops us. */
export function registerCodecs(): void {
  // kafkajs's own gzip takes six times the CPU for a quarter fewer bytes: 32 ms instead of 5 for 768 KiB of views' text.
  CompressionCodecs[CompressionTypes.GZIP] = () => ({
    compress: ({ buffer }: { buffer: Buffer }) =>
      promisify<Buffer, object, Buffer>(gzip)(buffer, { level: 1 }),
    decompress: (buffer: Buffer) => promisify(gunzip)(buffer),
  });
  CompressionCodecs[CompressionTypes.Snappy] = () => ({
    compress: ({ buffer }: { buffer: Buffer }) => compress(buffer),
    decompress: uncompressSnappy,
  });
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: ({ buffer }: { buffer: Buffer }) => compressFrame(buffer),
    decompress: (buffer: Buffer) => decompressFrame(buffer),
  });
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: ({ buffer }: { buffer: Buffer }) => promisify(zstdCompress)(buffer),
    decompress: (buffer: Buffer) => promisify(zstdDecompress)(buffer),
  });
}

async function uncompressSnappy(buffer: Buffer): Promise<Buffer> {
  if (!buffer.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return bytesOf(await uncompress(buffer));
  const blocks: Buffer[] = [];
  for (let at = XERIAL_HEADER; at < buffer.length; ) {
    const size = buffer.readUInt32BE(at);
    blocks.push(bytesOf(await uncompress(buffer.subarray(at + 4, at + 4 + size))));
    at += 4 + size;
  }
  return Buffer.concat(blocks);
}

const bytesOf = (data: string | Buffer): Buffer => (typeof data === "string" ? Buffer.from(data) : data);
