import { isObject } from "../../shared/events/exact-json.ts";
import { Item as ItemView } from "../../shared/view/lead-view.ts";
import { type Fields, render, renderAround } from "../fold/entity.ts";
import {
  groupShape,
  type Item,
  itemShape,
  type LeadPart,
  type Link,
  type StoredDocument,
} from "../fold/lead-part.ts";
import { joinMembers, type RunWriter, type SectionWriter, writeArray } from "./body.ts";
import { namesBefore, writeDocumentFacts } from "./documents.ts";
import { linksOfItem } from "./links.ts";
import { show, writeEntities, writeShown } from "./shown.ts";

const FILE_TYPES: ReadonlySet<unknown> = new Set(["BANK_STATEMENT", "FILE", "ID", "TAX_RETURN"]);
const BEFORE_DOCUMENTS = namesBefore(Object.keys(ItemView.fields), "documents");

/** Groups, then items, in the order in which they came. */
export function writeChecklist(section: RunWriter, part: LeadPart): void {
  writeArray(section, part.groups, (group) => {
    const [head, tail] = renderAround(groupShape, group.facts, GROUP_HEAD);
    section.text(`{${joinMembers(head, '"items":')}`);
    writeEntities(section, group, group.items, (writer, item) => writeItem(writer, part, item));
    section.text(tail === "" ? "}" : `,${tail}}`);
  });
}

const GROUP_HEAD = new Set(["id", "name", "conditions"]);

/** Items of a file type, and any item with a link, have their documents. */
function writeItem(section: SectionWriter, part: LeadPart, item: Item): void {
  const linked = linksOfItem(part, item.id);
  if (linked.length === 0 && !FILE_TYPES.has(fieldTypeOf(item.fields))) {
    section.text(itemText(item));
    return;
  }
  const [head, tail] = renderAround(itemShape, item.fields, BEFORE_DOCUMENTS);
  section.text(`{${joinMembers(head, '"documents":')}`);
  writeArray(section, linked, ({ link, document }) => {
    link.shown ??= show((writer) => writeLinked(writer, link, document));
    writeShown(section, link.shown);
  });
  section.text(tail === "" ? "}" : `,${tail}}`);
}

/** A document as an item lists it, with what its link says. */
function writeLinked(section: SectionWriter, link: Link, document: StoredDocument): void {
  const more: Record<string, unknown> = {};
  const { overallValid, validationResult } = link.fields;
  if (document.fields.metadata !== undefined) more.metadata = document.fields.metadata;
  if (overallValid !== undefined) more.overallValid = overallValid;
  if (validationResult !== undefined) more.validationResult = validationResult;
  writeDocumentFacts(section, document, more);
}

/** An item's JSON text, without documents. */
export function itemText(item: Item): string {
  item.text ??= render(itemShape, item.fields);
  return item.text;
}

/** A one-off item carries its definition's fields itself. */
const fieldTypeOf = ({ checklistItem, fieldType }: Fields): unknown =>
  (isObject(checklistItem) ? checklistItem.fieldType : undefined) ?? fieldType;
