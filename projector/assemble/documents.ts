import { Document, MessageDocument } from "../../shared/view/lead-view.ts";
import { type Fields, render, renderAround } from "../fold/entity.ts";
import {
  documentShape,
  type LeadPart,
  type Link,
  linkShape,
  type StoredDocument,
} from "../fold/lead-part.ts";
import { joinMembers, type SectionWriter, writeArray } from "./body.ts";
import { byCreation, linksOfDocument } from "./links.ts";

const BEFORE_URL = namesBefore(Object.keys(Document.fields), "signedUrl");
const FACTS = namesBefore(Object.keys(MessageDocument.fields), "signedUrl");

/** All documents of the lead with their links. */
export function writeDocuments(section: SectionWriter, part: LeadPart): void {
  writeArray(section, [...part.documents.values()].sort(byCreation), (document) => {
    const { storageKey, ...shown } = document.fields;
    const [head, tail] = renderAround(documentShape, shown, BEFORE_URL);
    section.text(`{${joinMembers(head, '"signedUrl":')}`);
    section.url(storageKey);
    const own = linksOfDocument(part, document.id).map(linkText);
    section.text(`,${joinMembers(`"leadChecklistItemDocument":[${own.join(",")}]`, tail)}}`);
  });
}

/** A link's JSON text. */
export function linkText(link: Link): string {
  link.text ??= render(linkShape, link.fields);
  return link.text;
}

/** `{id, filename, mimeType, size, signedUrl` and what more the place asks for `}`. */
export function writeDocumentFacts(section: SectionWriter, document: StoredDocument, more: Fields): void {
  const { fields } = document;
  const facts: Record<string, unknown> = {};
  for (const name of FACTS) if (fields[name] !== undefined) facts[name] = fields[name];
  section.text(`${JSON.stringify(facts).slice(0, -1)},"signedUrl":`);
  section.url(fields.storageKey);
  const rest = JSON.stringify(more).slice(1);
  section.text(rest === "}" ? rest : `,${rest}`);
}

export function namesBefore(names: readonly string[], name: string): ReadonlySet<string> {
  return new Set(names.slice(0, names.indexOf(name)));
}
