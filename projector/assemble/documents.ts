import { Document, MessageDocument } from "../../shared/view/lead-view.ts";
import { type Fields, render, renderAround } from "../fold/entity.ts";
import { documentShape, type LeadPart, linkShape, type StoredDocument } from "../fold/lead-part.ts";
import { type BodyBuilder, joinMembers, writeArray } from "./body.ts";
import { byCreation, type ResolvedLinks } from "./links.ts";

const BEFORE_URL = namesBefore(Object.keys(Document.fields), "signedUrl");
const FACTS = namesBefore(Object.keys(MessageDocument.fields), "signedUrl");

/** All documents of the lead with their links. */
export function writeDocuments(body: BodyBuilder, { documents }: LeadPart, links: ResolvedLinks): void {
  writeArray(body, [...documents.values()].sort(byCreation), (document) => {
    const { storageKey, ...shown } = document;
    const [head, tail] = renderAround(documentShape, shown, BEFORE_URL);
    body.text(`{${joinMembers(head, '"signedUrl":')}`);
    body.url(storageKey);
    const own = (links.byDocument.get(document.id) ?? []).map((link) => render(linkShape, link));
    body.text(`,${joinMembers(`"leadChecklistItemDocument":[${own.join(",")}]`, tail)}}`);
  });
}

/** `{id, filename, mimeType, size, signedUrl` and what more the place asks for `}`. */
export function writeDocumentFacts(body: BodyBuilder, document: StoredDocument, more: Fields): void {
  const facts: Record<string, unknown> = {};
  for (const name of FACTS) if (document[name] !== undefined) facts[name] = document[name];
  body.text(`${JSON.stringify(facts).slice(0, -1)},"signedUrl":`);
  body.url(document.storageKey);
  const rest = JSON.stringify(more).slice(1);
  body.text(rest === "}" ? rest : `,${rest}`);
}

export function namesBefore(names: readonly string[], name: string): ReadonlySet<string> {
  return new Set(names.slice(0, names.indexOf(name)));
}
