import type { SyntaxNode } from "@lezer/common";
import { parser } from "@prometheus-io/lezer-promql";
import type { Recording, Series } from "./series.ts";

/*
 * PromQL as far as our alert rules use it, over a recording; anything else is an error. Where promtool is installed, the
 * same recordings are given to it too (rules.ts), so that this says nothing of its own.
 */

type Labels = Readonly<Record<string, string>>;

/** A value with the labels that it goes by, without the metric's name. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

type Value = number | readonly Sample[];
type Query = (at: number) => Value;

/** Makes of a query what evaluates it at a scrape of the recording, by the scrape's number. */
export function compile(text: string, recording: Recording): (at: number) => readonly Sample[] {
  const tree = parser.parse(text);
  const query = build(tree.topNode.firstChild as SyntaxNode, { text, recording });
  return (at) => {
    const value = query(at);
    return typeof value === "number" ? [{ labels: {}, value }] : value;
  };
}

interface Source {
  readonly text: string;
  readonly recording: Recording;
}

function build(node: SyntaxNode, source: Source): Query {
  const { text, recording } = source;
  const textOf = (one: SyntaxNode) => text.slice(one.from, one.to);
  switch (node.name) {
    case "ParenExpr":
      return build(node.firstChild as SyntaxNode, source);
    case "NumberDurationLiteral": {
      const number = Number(textOf(node));
      return () => number;
    }
    case "VectorSelector": {
      const chosen = select(node, source);
      return (at) => instant(chosen(), at);
    }
    case "OffsetExpr": {
      const chosen = select(node.getChild("VectorSelector") as SyntaxNode, source);
      const scrapes = seconds(textOf(node.getChild("OffsetDurationExpr") as SyntaxNode)) / recording.interval;
      return (at) => instant(chosen(), at - scrapes);
    }
    case "FunctionCall":
      return call(node, source);
    case "AggregateExpr":
      return aggregate(node, source);
    case "BinaryExpr":
      return binary(node, source);
    default:
      throw new Error(`${node.name} is not among what is evaluated here: ${textOf(node)}`);
  }
}

const NONE: readonly Series[] = [];

/** The series of a selector: those that there are when it is asked. */
function select(node: SyntaxNode, { text, recording }: Source): () => readonly Series[] {
  const textOf = (one: SyntaxNode | null) => (one ? text.slice(one.from, one.to) : "");
  const name = textOf(node.getChild("Identifier"));
  const matchers = (node.getChild("LabelMatchers")?.getChildren("UnquotedLabelMatcher") ?? []).map((one) => {
    const label = textOf(one.getChild("LabelName"));
    const wanted = JSON.parse(textOf(one.getChild("StringLiteral"))) as string;
    const pattern = new RegExp(`^(?:${wanted})$`);
    const operator = textOf(one.getChild("MatchOp"));
    return ({ labels }: Series): boolean => {
      const value = labels[label] ?? "";
      if (operator === "=") return value === wanted;
      if (operator === "!=") return value !== wanted;
      return pattern.test(value) === (operator === "=~");
    };
  });
  let all: readonly Series[] | undefined;
  let chosen: readonly Series[] = [];
  return () => {
    // Another list where a series came to it.
    const known = recording.series.get(name) ?? NONE;
    if (known !== all) chosen = known.filter((series) => matchers.every((matches) => matches(series)));
    all = known;
    return chosen;
  };
}

function instant(chosen: readonly Series[], at: number): Sample[] {
  return chosen.flatMap(({ labels, values }) => {
    const value = values[at];
    return value === undefined ? [] : [{ labels: withoutName(labels), value }];
  });
}

function withoutName({ __name__, ...labels }: Labels): Labels {
  return labels;
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** A duration such as `15m` in seconds. */
export function seconds(text: string): number {
  const [, number, unit = ""] = /^(\d+)([smhd])$/.exec(text.trim()) ?? [];
  if (number === undefined) throw new Error(`${text} is not a duration`);
  return Number(number) * (UNITS[unit] as number);
}

function call(node: SyntaxNode, source: Source): Query {
  const { text, recording } = source;
  const identifier = node.getChild("FunctionIdentifier") as SyntaxNode;
  const name = text.slice(identifier.from, identifier.to);
  const argument = node.getChild("FunctionCallBody")?.firstChild ?? undefined;
  if (name === "time") return (at) => recording.start + at * recording.interval;
  if (argument === undefined) throw new Error(`${name} needs something to be called with`);
  if (name === "absent") {
    const query = build(argument, source);
    return (at) => ((query(at) as readonly Sample[]).length === 0 ? [{ labels: {}, value: 1 }] : []);
  }
  if (!["increase", "rate", "delta"].includes(name))
    throw new Error(`${name} is not among what is evaluated here`);
  const chosen = select(argument.getChild("VectorSelector") as SyntaxNode, source);
  const duration = argument.getChild("DurationExpr") as SyntaxNode;
  const range = seconds(text.slice(duration.from, duration.to));
  return (at) =>
    chosen().flatMap(({ labels, values }) => {
      const change = changeOver(values, at, range, recording.interval, name !== "delta");
      if (change === undefined) return [];
      return [{ labels: withoutName(labels), value: name === "rate" ? change / range : change }];
    });
}

/**
 * The change over a range, brought from the samples to the range's ends as Prometheus does.
 * @param counts true where a fall is a counter that began anew
 */
function changeOver(
  values: readonly (number | undefined)[],
  at: number,
  range: number,
  interval: number,
  counts: boolean,
): number | undefined {
  const reach = Math.floor(range / interval);
  const samples: [time: number, value: number][] = [];
  for (let scrape = Math.max(0, at - reach + 1); scrape <= at; scrape++) {
    const value = values[scrape];
    if (value !== undefined) samples.push([scrape * interval, value]);
  }
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last || samples.length < 2) return undefined;
  let change = last[1] - first[1];
  if (counts)
    for (const [index, [, value]] of samples.entries()) {
      const before = samples[index - 1]?.[1] ?? 0;
      if (index > 0 && value < before) change += before;
    }
  const sampled = last[0] - first[0];
  const between = sampled / (samples.length - 1);
  const end = at * interval;
  let toStart = first[0] - (end - range);
  let toEnd = end - last[0];
  if (toStart >= between * 1.1) toStart = between / 2;
  if (counts && change > 0 && first[1] >= 0) toStart = Math.min(toStart, sampled * (first[1] / change));
  if (toEnd >= between * 1.1) toEnd = between / 2;
  return change * ((sampled + toStart + toEnd) / sampled);
}

const labelsIn = (node: SyntaxNode | null, text: string): string[] =>
  (node?.getChild("GroupingLabels")?.getChildren("LabelName") ?? []).map((one) =>
    text.slice(one.from, one.to),
  );

const pick = (labels: Labels, names: readonly string[]): Labels =>
  Object.fromEntries(names.flatMap((name) => (labels[name] === undefined ? [] : [[name, labels[name]]])));

const keyOf = (labels: Labels): string => JSON.stringify(Object.entries(labels).sort());

const AGGREGATES: Readonly<Record<string, (values: readonly number[]) => number>> = {
  sum: (values) => values.reduce((all, one) => all + one, 0),
  max: (values) => Math.max(...values),
  min: (values) => Math.min(...values),
};

function aggregate(node: SyntaxNode, source: Source): Query {
  const { text } = source;
  const operator = node.getChild("AggregateOp") as SyntaxNode;
  const name = text.slice(operator.from, operator.to);
  const over = AGGREGATES[name];
  if (!over) throw new Error(`${name} is not among what is evaluated here`);
  const modifier = node.getChild("AggregateModifier");
  if (modifier?.getChild("Without")) throw new Error("without is not among what is evaluated here");
  const names = labelsIn(modifier, text);
  const query = build(node.getChild("FunctionCallBody")?.firstChild as SyntaxNode, source);
  return (at) => {
    const groups = new Map<string, { labels: Labels; values: number[] }>();
    for (const { labels, value } of query(at) as readonly Sample[]) {
      const picked = pick(labels, names);
      const group = groups.get(keyOf(picked)) ?? { labels: picked, values: [] };
      group.values.push(value);
      groups.set(keyOf(picked), group);
    }
    return [...groups.values()].map(({ labels, values }) => ({ labels, value: over(values) }));
  };
}

const COMPARE: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
};
const CALCULATE: Readonly<Record<string, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
};

function binary(node: SyntaxNode, source: Source): Query {
  const { text } = source;
  const [first, last] = [node.firstChild, node.lastChild] as [SyntaxNode, SyntaxNode];
  const [left, right] = [build(first, source), build(last, source)];
  const sign = first.nextSibling as SyntaxNode;
  const operator = text.slice(sign.from, sign.to);
  const modifier = node.getChild("MatchingModifierClause");
  if (modifier && !modifier.getChild("On"))
    throw new Error("ignoring and group are not among what is evaluated here");
  const names = modifier ? labelsIn(modifier, text) : undefined;
  const match = ({ labels }: Sample) => keyOf(names ? pick(labels, names) : labels);
  if (["and", "or", "unless"].includes(operator))
    return (at) => sets(operator, left(at) as readonly Sample[], right(at) as readonly Sample[], match);
  return (at) => {
    const [a, b] = [left(at), right(at)];
    const [calculate, compare] = [CALCULATE[operator], COMPARE[operator]];
    if (typeof a === "number" && typeof b === "number" && calculate) return calculate(a, b);
    if (typeof a !== "number" && typeof b !== "number")
      throw new Error(`${operator} between series is not among what is evaluated here`);
    const samples = (typeof a === "number" ? b : a) as readonly Sample[];
    return samples.flatMap(({ labels, value }) => {
      const [x, y] = [typeof a === "number" ? a : value, typeof b === "number" ? b : value];
      if (calculate) return [{ labels, value: calculate(x, y) }];
      return compare?.(x, y) ? [{ labels, value }] : [];
    });
  };
}

function sets(
  operator: string,
  left: readonly Sample[],
  right: readonly Sample[],
  match: (sample: Sample) => string,
): readonly Sample[] {
  const [ours, theirs] = [new Set(left.map(match)), new Set(right.map(match))];
  if (operator === "or") return [...left, ...right.filter((one) => !ours.has(match(one)))];
  return left.filter((one) => theirs.has(match(one)) === (operator === "and"));
}
