import { followServing, viewFile } from "../shared/generation.ts";
import { type Connection, openReader } from "../shared/sqlite.ts";
import { type ChangeRow, SELECT_CHANGES, SELECT_WORKSPACE_CHANGES } from "../shared/view/change.ts";
import { DATABASE_VERSION, type LeadViewRow, SELECT_LEAD_VIEW } from "../shared/view/row.ts";

/** The view database can't be read now: it is not there yet, or of another schema version. */
export class ViewsUnavailable extends Error {
  override readonly name = "ViewsUnavailable";
}

/** The read side of the view database. */
export interface Views {
  /** One lead's row, by one read. @throws ViewsUnavailable */
  read(leadId: string): LeadViewRow | undefined;
  /** Drawn once per database file; part of every ETag. @throws ViewsUnavailable */
  epoch(): string;
  /** The number of the latest change of any lead. @throws ViewsUnavailable */
  lastChange(): number;
  /** Changes behind a number, in order, at most so many; of one workspace, or of all. @throws ViewsUnavailable */
  changes(after: number, most: number, workspaceId?: string): ChangeRow[];
  close(): void;
}

/**
 * Reads the serving generation's database and follows a switch to another one. Opens it at the first use, since the
 * projector may still be making it.
 */
export function openViews(databaseDir: string): Views {
  let open: ReturnType<typeof openChecked> | undefined;
  const opened = () => {
    open ??= openChecked(viewFile({ databaseDir }));
    return open;
  };
  const stopFollowing = followServing(databaseDir, () => {
    const old = open;
    open = undefined;
    old?.db.close();
  });
  return {
    read: (leadId) => opened().select.get(leadId),
    epoch: () => opened().epoch,
    lastChange: () => opened().lastChange.get() as number,
    changes: (after, most, workspaceId) =>
      workspaceId === undefined
        ? opened().changes.all(after, most)
        : opened().workspaceChanges.all(workspaceId, after, most),
    close() {
      stopFollowing();
      open?.db.close();
    },
  };
}

function openChecked(file: string) {
  let db: Connection | undefined;
  try {
    db = openReader(file);
    const version = db.pragma("user_version", { simple: true });
    if (version !== DATABASE_VERSION) {
      throw new Error(`schema version ${version}; this program reads ${DATABASE_VERSION}`);
    }
    const epoch = db
      .prepare<[], string>("SELECT value FROM meta WHERE name = 'epoch'")
      .pluck()
      .get() as string;
    return {
      db,
      epoch,
      select: db.prepare<[string], LeadViewRow>(SELECT_LEAD_VIEW),
      lastChange: db.prepare<[], number>("SELECT coalesce(max(seq), 0) FROM change").pluck(),
      changes: db.prepare<[number, number], ChangeRow>(SELECT_CHANGES),
      workspaceChanges: db.prepare<[string, number, number], ChangeRow>(SELECT_WORKSPACE_CHANGES),
    };
  } catch (cause) {
    db?.close();
    throw new ViewsUnavailable(`the view database can't be read: ${(cause as Error).message}`);
  }
}
