import { graphql } from "@/api";
// The fragment of problems has to be defined before it is spread.
import "./parts";

export const AdminAccounts = graphql(`
  query AdminAccounts(
    $first: Int
    $after: String
    $role: Role
    $kind: AccountKind
    $disabled: Boolean
    $waitFor: Position
  ) {
    accounts(first: $first, after: $after, role: $role, kind: $kind, disabled: $disabled, waitFor: $waitFor) {
      nodes {
        id
        name
        email
        kind
        disabled
        roles {
          role
        }
        history {
          createdAt
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const AdminAccount = graphql(`
  query AdminAccount($id: UUID!, $waitFor: Position) {
    account(id: $id, waitFor: $waitFor) {
      id
      name
      email
      kind
      disabled
      hasPassword
      permissions
      identities {
        issuer
        subject
      }
      onBehalfOf {
        id
        name
      }
      roles {
        role
        granted {
          at
          reason
          position
          actor {
            kind
            name
            displayName
          }
        }
      }
      history {
        createdAt
        createdPosition
        updatedAt
        revision
      }
      apiKeys(first: 50, active: true) {
        nodes {
          key
          name
          expiresAt
          lastUsedAt
        }
      }
      sessions(first: 50, active: true) {
        nodes {
          id
        }
      }
    }
  }
`);

export const AdminCreateAccount = graphql(`
  mutation AdminCreateAccount($input: CreateAccountInput!) {
    createAccount(input: $input) {
      accountId
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const AdminRenameAccount = graphql(`
  mutation AdminRenameAccount($input: RenameAccountInput!) {
    renameAccount(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const AdminDisableAccount = graphql(`
  mutation AdminDisableAccount($input: AccountInput!) {
    disableAccount(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const AdminEnableAccount = graphql(`
  mutation AdminEnableAccount($input: AccountInput!) {
    enableAccount(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const AdminGrantRole = graphql(`
  mutation AdminGrantRole($input: RoleInput!) {
    grantRole(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const AdminRevokeRole = graphql(`
  mutation AdminRevokeRole($input: RoleInput!) {
    revokeRole(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const AdminSignInLink = graphql(`
  mutation AdminSignInLink($input: MakeSignInLinkInput!) {
    makeSignInLink(input: $input) {
      token
      expiresAt
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const AdminSetPassword = graphql(`
  mutation AdminSetPassword($input: SetPasswordInput!) {
    setPassword(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const AdminRemovePassword = graphql(`
  mutation AdminRemovePassword($input: RemovePasswordInput!) {
    removePassword(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const AdminLinkIdentity = graphql(`
  mutation AdminLinkIdentity($input: IdentityInput!) {
    linkIdentity(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);

export const AdminUnlinkIdentity = graphql(`
  mutation AdminUnlinkIdentity($input: IdentityInput!) {
    unlinkIdentity(input: $input) {
      position
      errors {
        ...Errors
      }
    }
  }
`);
