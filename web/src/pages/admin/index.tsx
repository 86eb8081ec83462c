import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useViewer } from "@/api";
import { useActions } from "@/app/actions";
import { usePageTitle } from "@/app/title";
import { EmptyState, Field, PageHeader, Select } from "@/ui";
import { Accounts } from "./Accounts";
import { Archive } from "./Archive";
import { Backups } from "./Backups";
import { Browser } from "./Browser";
import { Credentials } from "./Credentials";
import { Flags } from "./Flags";
import { Erasures } from "./erasures/Erasures";
import { Keys } from "./Keys";
import { Projections } from "./Projections";
import { Retention } from "./retention/Retention";
import { SECTIONS, type Section, permissionName } from "./sections";
import { Sessions } from "./Sessions";
import { System } from "./System";
import { Tenants } from "./Tenants";
import { Triggers } from "./Triggers";
import { Workers } from "./Workers";

const route = getRouteApi("/admin/$section");

const PAGES: Record<Section, ReactNode> = {
  accounts: <Accounts />,
  keys: <Keys />,
  sessions: <Sessions />,
  credentials: <Credentials />,
  tenants: <Tenants />,
  flags: <Flags />,
  erasures: <Erasures />,
  retention: <Retention />,
  backups: <Backups />,
  projections: <Projections />,
  archive: <Archive />,
  triggers: <Triggers />,
  workers: <Workers />,
  system: <System />,
  browser: <Browser />,
};

/** Who may do what here, and how the deployment is. */
export function AdminPage() {
  const { section } = route.useParams();
  const navigate = useNavigate();
  const { can } = useViewer();
  const found = SECTIONS.find((one) => one.section === section);
  usePageTitle(found?.label, "Admin");
  const go = (to: string) => void navigate({ to: "/admin/$section", params: { section: to } });
  useActions(
    SECTIONS.map((one) => ({ id: `admin.${one.section}`, label: `Admin: ${one.label}`, run: () => go(one.section) })),
  );
  const permission = found && "permission" in found ? found.permission : undefined;
  return (
    <>
      <PageHeader title="Admin" />
      <div className="flex min-h-0 flex-1 flex-col md:flex-row">
        <nav aria-label="Sections" className="hidden w-44 shrink-0 overflow-auto border-r bg-surface p-2 md:block">
          <ul className="flex flex-col gap-0.5">
            {SECTIONS.map((one) => (
              <li key={one.section}>
                <Link
                  to="/admin/$section"
                  params={{ section: one.section }}
                  activeOptions={{ includeSearch: false }}
                  className="block rounded-md px-2.5 py-1.5 text-[13px] text-muted hover:bg-hover hover:text-text data-[status=active]:bg-hover data-[status=active]:font-medium data-[status=active]:text-text"
                >
                  {one.label}
                </Link>
              </li>
            ))}
          </ul>
        </nav>
        <div className="border-b bg-surface px-4 py-2 md:hidden">
          <Field label="Section" hideLabel>
            <Select
              value={section}
              onChange={go}
              choices={SECTIONS.map((one) => ({ value: one.section, label: one.label }))}
            />
          </Field>
        </div>
        <div className="flex min-h-0 min-w-0 flex-1 flex-col">
          {found === undefined ? (
            <EmptyState icon="admin" title="There is no such section">
              Choose one of the list.
            </EmptyState>
          ) : permission !== undefined && !can(permission) ? (
            <EmptyState icon="admin" title={`${found.label} is not for your account`}>
              It needs the permission {permissionName(permission)}. Ask an owner or admin for a role that gives it.
            </EmptyState>
          ) : (
            PAGES[found.section]
          )}
        </div>
      </div>
    </>
  );
}
