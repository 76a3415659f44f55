import { isObject } from "../../shared/events/exact-json.ts";
import { Item as ItemView } from "../../shared/view/lead-view.ts";
import { type Fields, render, renderAround } from "../fold/entity.ts";
import { groupShape, type Item, itemShape, type LeadPart } from "../fold/lead-part.ts";
import { type BodyBuilder, joinMembers, writeArray } from "./body.ts";
import { namesBefore, writeDocumentFacts } from "./documents.ts";
import type { ResolvedLinks } from "./links.ts";

const FILE_TYPES: ReadonlySet<unknown> = new Set(["BANK_STATEMENT", "FILE", "ID", "TAX_RETURN"]);
const BEFORE_DOCUMENTS = namesBefore(Object.keys(ItemView.fields), "documents");

/** Groups, then items, in the order in which they came. */
export function writeChecklist(body: BodyBuilder, { groups }: LeadPart, links: ResolvedLinks): void {
  writeArray(body, groups, ({ items, ...group }) => {
    const known: Fields = group;
    const [head, tail] = renderAround(groupShape, known, GROUP_HEAD);
    body.text(`{${joinMembers(head, '"items":')}`);
    writeArray(body, items, (item) => writeItem(body, item, links));
    body.text(tail === "" ? "}" : `,${tail}}`);
  });
}

const GROUP_HEAD = new Set(["id", "name", "conditions"]);

/** Items of a file type, and any item with a link, have their documents. */
function writeItem(body: BodyBuilder, item: Item, links: ResolvedLinks): void {
  const linked = links.byItem.get(item.id);
  if (!linked && !FILE_TYPES.has(fieldTypeOf(item))) {
    body.text(render(itemShape, item));
    return;
  }
  const [head, tail] = renderAround(itemShape, item, BEFORE_DOCUMENTS);
  body.text(`{${joinMembers(head, '"documents":')}`);
  writeArray(body, linked ?? [], ({ link, document }) => {
    const more: Record<string, unknown> = {};
    if (document.metadata !== undefined) more.metadata = document.metadata;
    if (link.overallValid !== undefined) more.overallValid = link.overallValid;
    if (link.validationResult !== undefined) more.validationResult = link.validationResult;
    writeDocumentFacts(body, document, more);
  });
  body.text(tail === "" ? "}" : `,${tail}}`);
}

/** A one-off item carries its definition's fields itself. */
const fieldTypeOf = ({ checklistItem, fieldType }: Item): unknown =>
  (isObject(checklistItem) ? checklistItem.fieldType : undefined) ?? fieldType;
