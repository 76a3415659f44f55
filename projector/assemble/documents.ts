import { Document, MessageDocument } from "../../shared/view/lead-view.ts";
import { type Fields, render, renderAround } from "../fold/entity.ts";
import {
  documentShape,
  type LeadPart,
  type Link,
  linkShape,
  type StoredDocument,
} from "../fold/lead-part.ts";
import { joinMembers, type RunWriter, type SectionWriter } from "./body.ts";
import { byCreation, linksOfDocument } from "./links.ts";
import { writeEntities } from "./shown.ts";

const BEFORE_URL = namesBefore(Object.keys(Document.fields), "signedUrl");
const FACTS = namesBefore(Object.keys(MessageDocument.fields), "signedUrl");

/** All documents of the lead with their links, by when they were created, then by their ids. */
export function writeDocuments(section: RunWriter, part: LeadPart): void {
  // Nearly always in order already, which costs a look at each.
  part.documentList.sort(byCreation);
  writeEntities(section, part, part.documentList, (writer, document) =>
    writeDocument(writer, part, document),
  );
}

function writeDocument(writer: SectionWriter, part: LeadPart, document: StoredDocument): void {
  const { storageKey, ...shown } = document.fields;
  const [head, tail] = renderAround(documentShape, shown, BEFORE_URL);
  writer.text(`{${joinMembers(head, '"signedUrl":')}`);
  writer.url(storageKey);
  const own = linksOfDocument(part, document.id).map(linkText);
  writer.text(`,${joinMembers(`"leadChecklistItemDocument":[${own.join(",")}]`, tail)}}`);
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
