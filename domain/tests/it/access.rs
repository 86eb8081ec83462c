//! The page about accounts: its table of roles is the code's.

use timeloom_domain::access::{Permission, Role};

#[test]
fn the_page_of_accounts_tells_what_every_role_may() {
    let page = include_str!("../../../docs/accounts.md");
    let heads: Vec<&str> = Role::EACH.iter().map(|role| role.name()).collect();
    assert!(page.contains(&format!("| permission | lets | {} |", heads.join(" | "))), "the columns are the roles");
    let told = |permission: &Permission| {
        page.lines().find(|line| line.starts_with(&format!("| `{permission}` |"))).unwrap_or_else(|| {
            panic!("docs/accounts.md has no row of {permission}");
        })
    };
    for permission in Permission::EACH {
        let cells: Vec<&str> = told(permission).trim_matches('|').split('|').map(str::trim).collect();
        let may: Vec<bool> = cells[2..].iter().map(|cell| *cell == "yes").collect();
        let expected: Vec<bool> = Role::EACH.iter().map(|role| role.permissions().has(*permission)).collect();
        assert_eq!(may, expected, "docs/accounts.md tells {permission} otherwise");
    }
    let rows =
        page.lines().filter(|line| line.starts_with("| `") && line.contains("` | ") && line.contains(':')).count();
    assert_eq!(rows, Permission::EACH.len(), "docs/accounts.md has rows of permissions that are not there");
}
