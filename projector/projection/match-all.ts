import { SECTIONS } from "../../shared/view/change.ts";
import { MOST_SHARED, renderMatchingLeads } from "../assemble/matching-leads.ts";
import type { LeadPart } from "../fold/lead-part.ts";
import type { Store } from "../store/store.ts";
import { identityOfRow, matchingLeads } from "./matching.ts";

const MATCHES = SECTIONS.indexOf("matchingLeads");

/** Puts the matching leads into the views of a build, all of which say of none yet. */
export function matchAll(store: Store): void {
  const { db } = store;
  const shared = (column: string) => `SELECT lead_id FROM lead_identity i JOIN (
    SELECT workspace_id, ${column} AS shared FROM lead_identity WHERE ${column} IS NOT NULL
    GROUP BY workspace_id, ${column} HAVING count(*) BETWEEN 2 AND ${MOST_SHARED}
  ) s ON s.workspace_id = i.workspace_id AND i.${column} = s.shared`;
  const ids = db
    .prepare<[], string>(`${shared("email_key")} UNION ${shared("phone_key")}`)
    .pluck()
    .all();
  const update = db.prepare(
    "UPDATE lead_view SET body = ?, section_ends = ?, url_slots = ? WHERE lead_id = ?",
  );
  db.transaction(() => {
    for (const leadId of ids) {
      const identity = store.identities.get(leadId);
      const view = store.views.get(leadId);
      if (!identity || !view?.body) continue;
      const ends = JSON.parse(view.sectionEnds) as number[];
      const record = JSON.parse(view.body.toString("utf8", 8, ends[0]));
      const matches = renderMatchingLeads(
        { leadId, record } as LeadPart,
        matchingLeads(store, view.workspaceId, identityOfRow(identity)),
      );
      if (matches === "[]") continue;
      const end = ends[MATCHES] as number;
      const text = Buffer.from(matches);
      const body = Buffer.concat([view.body.subarray(0, end - 2), text, view.body.subarray(end)]);
      const longer = text.length - 2;
      const moved = ends.map((one, index) => (index >= MATCHES ? one + longer : one));
      const slots = view.urlSlots === null ? [] : (JSON.parse(view.urlSlots) as [number, string][]);
      const movedSlots = slots.map(([at, key]) => [at >= end ? at + longer : at, key]);
      update.run(body, JSON.stringify(moved), slots.length === 0 ? null : JSON.stringify(movedSlots), leadId);
    }
  }).immediate();
}
