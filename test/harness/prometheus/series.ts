/** A series by its labels, `__name__` among them, with a value at each scrape; undefined where there was none. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly values: (number | undefined)[];
}

/** Scrapes that follow each other at even times. */
export interface Recording {
  /** Seconds since 1970 of the first scrape. */
  readonly start: number;
  /** Seconds from scrape to scrape. */
  readonly interval: number;
  /** By the metric's name. */
  readonly series: ReadonlyMap<string, readonly Series[]>;
  /** Scrapes so far. */
  readonly length: number;
}

/** What is scraped: its metrics in Prometheus' text format; undefined where it does not answer. */
export interface Target {
  readonly job: string;
  readonly instance: string;
  scrape(): Promise<string | undefined>;
}

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** Reads Prometheus' text format. */
export function parseMetrics(text: string): Sample[] {
  return text.split("\n").flatMap((line): Sample[] => {
    const [, name, labels = "", value] = LINE.exec(line) ?? [];
    if (name === undefined) return [];
    const pairs = [...labels.matchAll(LABEL)].map(([, label, quoted]) => [
      label,
      JSON.parse(`"${quoted}"`) as string,
    ]);
    return [{ name, labels: Object.fromEntries(pairs), value: Number(value?.replace("Inf", "Infinity")) }];
  });
}

/** Records what targets tell of themselves, as Prometheus does: with `up`, and with an end where a series is not told any more. */
export function createRecorder(start: number, interval: number) {
  const series = new Map<string, Series[]>();
  const byLabels = new Map<string, Series>();
  let length = 0;
  const put = (labels: Readonly<Record<string, string>>, value: number, at: number) => {
    const key = JSON.stringify(Object.entries(labels).sort());
    let one = byLabels.get(key);
    if (!one) {
      one = { labels, values: [] };
      byLabels.set(key, one);
      const name = labels.__name__ as string;
      series.set(name, [...(series.get(name) ?? []), one]);
    }
    one.values[at] = value;
  };
  return {
    /** Scrapes all of the targets once. @param times for so many scrapes nothing changes */
    async scrape(targets: readonly Target[], times = 1): Promise<void> {
      for (const { job, instance, scrape } of targets) {
        const text = await scrape();
        for (let at = length; at < length + times; at++) {
          put({ __name__: "up", job, instance }, text === undefined ? 0 : 1, at);
          for (const { name, labels, value } of parseMetrics(text ?? ""))
            put({ __name__: name, job, instance, ...labels }, value, at);
        }
      }
      length += times;
    },
    recording: (): Recording => ({ start, interval, series, length }),
  };
}
