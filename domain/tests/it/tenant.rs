//! What a tenant decides about the categories that are open to programs of others.

use timeloom_domain::event::Aggregate as _;
use timeloom_domain::ids::TenantId;
use timeloom_domain::tenant::{OPEN_CATEGORIES_MAX, Tenant, TenantCommand, TenantEvent, TenantRefusal};

fn open(tenant: u32, category: &str) -> TenantCommand {
    TenantCommand::OpenCategory { tenant: TenantId(tenant), category: category.to_owned() }
}

fn sent(tenant: &mut Tenant, command: &TenantCommand) -> Result<usize, TenantRefusal> {
    let events = tenant.decide(command)?;
    events.iter().for_each(|event| tenant.apply(event));
    Ok(events.len())
}

#[test]
fn a_category_is_opened_once_and_closed_once() {
    let mut tenant = Tenant::default();
    let created = TenantEvent::TenantCreated { tenant: TenantId(3), name: "three".to_owned() };
    tenant.apply(&created);
    assert_eq!(sent(&mut tenant, &open(3, "invoice")), Ok(1));
    assert_eq!(sent(&mut tenant, &open(3, "invoice")), Ok(0));
    assert!(tenant.open_categories.contains("invoice"));
    let close = TenantCommand::CloseCategory { category: "invoice".to_owned() };
    assert_eq!((sent(&mut tenant, &close), sent(&mut tenant, &close)), (Ok(1), Ok(0)));
    assert!(tenant.open_categories.is_empty());
}

#[test]
fn the_first_tenant_is_there_before_it_was_made_and_no_other_is() {
    let mut first = Tenant::default();
    assert_eq!(sent(&mut first, &open(0, "invoice")), Ok(2));
    assert_eq!(first.tenant, Some(TenantId(0)));
    assert_eq!(sent(&mut Tenant::default(), &open(1, "invoice")), Err(TenantRefusal::NotFound));
}

#[test]
fn what_is_ours_or_reads_as_ours_or_is_no_name_is_never_opened() {
    let mut tenant = Tenant::default();
    for own in ["workflow", "credential", "policy", "consumer-group", "consumer", "replay", "replay-check"] {
        assert_eq!(sent(&mut tenant, &open(0, own)), Err(TenantRefusal::OwnCategory), "{own}");
    }
    let long = "x".repeat(101);
    for odd in ["", "$all", "a-b", "a/b", "a b", "a\n", &long] {
        assert_eq!(sent(&mut tenant, &open(0, odd)), Err(TenantRefusal::InvalidCategory), "{odd:?}");
    }
    for number in 0..OPEN_CATEGORIES_MAX {
        assert!(sent(&mut tenant, &open(0, &format!("c{number}"))).is_ok());
    }
    assert_eq!(sent(&mut tenant, &open(0, "more")), Err(TenantRefusal::TooManyCategories));
}
