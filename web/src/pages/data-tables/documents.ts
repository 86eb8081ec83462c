import { graphql } from "@/api";

export const ListOfDataTables = graphql(`
  query DataTablesList($asOf: AsOf) {
    dataTables(asOf: $asOf) {
      id
      name
      columns {
        name
        type
      }
      rowCount
      createdAt
      updatedAt
    }
  }
`);

export const OneDataTable = graphql(`
  query DataTablePage($table: String!, $asOf: AsOf) {
    dataTable(table: $table, asOf: $asOf) {
      id
      name
      columns {
        name
        type
      }
      rowCount
      createdAt
      updatedAt
    }
  }
`);

export const RowsOfDataTable = graphql(`
  query DataTableRowsPage(
    $table: String!
    $asOf: AsOf
    $conditions: [DataTableConditionInput!]!
    $any: Boolean!
    $orderBy: String
    $descending: Boolean!
    $first: Int!
    $skip: Int!
  ) {
    dataTable(table: $table, asOf: $asOf) {
      id
      rows(conditions: $conditions, any: $any, orderBy: $orderBy, descending: $descending, first: $first, skip: $skip) {
        count
        rows {
          id
          createdAt
          updatedAt
          cells
        }
      }
    }
  }
`);

/** Tables came, went, or are other ones. */
export const DataTablesChanged = graphql(`
  subscription DataTablesChanged($resumeFrom: Position) {
    events(resumeFrom: $resumeFrom, filter: { categories: ["data-tables"] }) {
      position
    }
  }
`);

/** Rows of some table changed. */
export const AnyRowsChanged = graphql(`
  subscription DataTablesAnyRowsChanged($resumeFrom: Position) {
    events(resumeFrom: $resumeFrom, filter: { categories: ["data-table"] }) {
      position
    }
  }
`);

export const RowsChanged = graphql(`
  subscription DataTableRowsChanged($table: ID!, $resumeFrom: Position) {
    events(resumeFrom: $resumeFrom, filter: { stream: { category: "data-table", id: $table } }) {
      position
    }
  }
`);

export const LogHead = graphql(`
  query DataTableLogHead {
    head {
      position
    }
  }
`);

export const CreateTable = graphql(`
  mutation DataTableCreate($input: CreateDataTableInput!) {
    createDataTable(input: $input) {
      tableId
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const RenameTable = graphql(`
  mutation DataTableRename($input: RenameDataTableInput!) {
    renameDataTable(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const DeleteTable = graphql(`
  mutation DataTableDelete($input: DataTableInput!) {
    deleteDataTable(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const AddColumn = graphql(`
  mutation DataTableAddColumn($input: AddDataTableColumnInput!) {
    addDataTableColumn(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const RenameColumn = graphql(`
  mutation DataTableRenameColumn($input: RenameDataTableColumnInput!) {
    renameDataTableColumn(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const RemoveColumn = graphql(`
  mutation DataTableRemoveColumn($input: RemoveDataTableColumnInput!) {
    removeDataTableColumn(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const InsertRows = graphql(`
  mutation DataTableInsertRows($input: InsertTableRowsInput!) {
    insertTableRows(input: $input) {
      count
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const UpdateRow = graphql(`
  mutation DataTableUpdateRow($input: UpdateTableRowsInput!) {
    updateTableRows(input: $input) {
      count
      position
      rows {
        id
        createdAt
        updatedAt
        cells
      }
      errors {
        ...Errors
      }
    }
  }
`);

export const DeleteRows = graphql(`
  mutation DataTableDeleteRows($input: DeleteTableRowsInput!) {
    deleteTableRows(input: $input) {
      count
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const ClearTable = graphql(`
  mutation DataTableClear($input: DataTableInput!) {
    clearDataTable(input: $input) {
      count
      position
      errors {
        ...Errors
      }
    }
  }
`);
