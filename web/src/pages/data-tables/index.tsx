export { DataTablePage } from "./DataTablePage";
export { DataTablesPage } from "./DataTablesPage";
