//! Rules of the set-up of a gateway.

use timeloom_domain::gateway::{
    CredentialName, GatewayCommand, GatewayConfiguration, GatewayEvent, GatewayLimit, GatewayPrice, GatewayPrices,
    GatewayProvider, GatewayRefusal, GatewayRoute, HolderKind, LimitMost, ProviderProtocol, RouteBalance, RouteTarget,
    RouteTier,
};
use timeloom_domain::money::Money;

use crate::given::given;
use crate::samples::slug;

fn provider() -> GatewayProvider {
    let mut provider = GatewayProvider::new(ProviderProtocol::OpenAi, Some("https://api.example.com/v1".to_owned()));
    provider.credential = Some(CredentialName { credential_type: "openAiApi".to_owned(), name: "Ours".to_owned() });
    provider
}

fn set_provider(provider: GatewayProvider) -> GatewayCommand {
    GatewayCommand::SetProvider { name: slug("fast"), provider: Box::new(provider) }
}

fn provider_set() -> GatewayEvent {
    GatewayEvent::GatewayProviderSet { name: slug("fast"), provider: Box::new(provider()) }
}

fn route(models: &[(&str, u32)]) -> GatewayRoute {
    let target = |(model, weight): &(&str, u32)| RouteTarget {
        provider: slug("fast"),
        model: (*model).to_owned(),
        weight: *weight,
    };
    let targets = models.iter().map(target).collect();
    GatewayRoute::new(vec![RouteTier { balance: RouteBalance::Load, targets }])
}

fn set_route(name: &str, route: GatewayRoute) -> GatewayCommand {
    GatewayCommand::SetRoute { name: name.to_owned(), route: Box::new(route) }
}

fn route_set() -> GatewayEvent {
    GatewayEvent::GatewayRouteSet { name: "assistant".to_owned(), route: Box::new(route(&[("small", 1)])) }
}

#[test]
fn what_is_set_as_it_is_changes_nothing_and_otherwise_takes_its_place() {
    given::<GatewayConfiguration>([]).when(set_provider(provider())).then([provider_set()]);
    given::<GatewayConfiguration>([provider_set()]).when(set_provider(provider())).changes_nothing();
    let elsewhere = GatewayProvider { base_url: Some("https://b.example".to_owned()), ..provider() };
    let moved = GatewayEvent::GatewayProviderSet { name: slug("fast"), provider: Box::new(elsewhere.clone()) };
    given::<GatewayConfiguration>([provider_set()]).when(set_provider(elsewhere)).then([moved]);
    let route_set_again = set_route("assistant", route(&[("small", 1)]));
    given::<GatewayConfiguration>([provider_set(), route_set()]).when(route_set_again).changes_nothing();
}

#[test]
fn an_address_holds_no_secret() {
    for (url, is_taken) in [
        ("https://api.example.com/v1", true),
        ("http://localhost:11434", true),
        ("https://x.example/v1?api-version=2026-01-01", true),
        ("https://user:word@api.example.com/v1", false),
        ("https://x.example/v1?api_key=sk-1", false),
        ("https://x.example/v1?a=1&Token=x", false),
        ("ftp://x.example", false),
        ("https://", false),
        ("https://x.example/ v1", false),
    ] {
        let provider = GatewayProvider { base_url: Some(url.to_owned()), ..provider() };
        let when = given::<GatewayConfiguration>([]).when(set_provider(provider.clone()));
        if is_taken {
            when.then([GatewayEvent::GatewayProviderSet { name: slug("fast"), provider: Box::new(provider) }]);
        } else {
            when.refuses_with(|refusal| matches!(refusal, GatewayRefusal::Provider(_)), url);
        }
    }
}

#[test]
fn models_of_the_server_itself_are_at_no_address_and_want_no_key() {
    let local = GatewayProvider::new(ProviderProtocol::Local, None);
    let set = GatewayEvent::GatewayProviderSet { name: slug("fast"), provider: Box::new(local.clone()) };
    given::<GatewayConfiguration>([]).when(set_provider(local.clone())).then([set]);
    let with_key = GatewayProvider { credential: provider().credential, ..local };
    let when = given::<GatewayConfiguration>([]).when(set_provider(with_key));
    when.refuses_with(|refusal| matches!(refusal, GatewayRefusal::Provider(_)), "a key");
}

#[test]
fn a_route_leads_to_providers_that_there_are_and_these_stay_while_it_does() {
    let set = || set_route("assistant", route(&[("small", 1)]));
    given::<GatewayConfiguration>([]).when(set()).refused(GatewayRefusal::NoProvider(slug("fast")));
    given::<GatewayConfiguration>([provider_set()]).when(set()).then([route_set()]);
    let remove = || GatewayCommand::RemoveProvider { name: slug("fast") };
    let in_use = GatewayRefusal::ProviderInUse { provider: slug("fast"), route: "assistant".to_owned() };
    given::<GatewayConfiguration>([provider_set(), route_set()]).when(remove()).refused(in_use);
    let removed = GatewayEvent::GatewayRouteRemoved { name: "assistant".to_owned() };
    given::<GatewayConfiguration>([provider_set(), route_set(), removed])
        .when(remove())
        .then([GatewayEvent::GatewayProviderRemoved { name: slug("fast") }]);
    given::<GatewayConfiguration>([]).when(remove()).changes_nothing();
}

#[test]
fn a_route_that_leads_nowhere_or_twice_to_the_same_is_refused() {
    for wrong in [route(&[]), route(&[("a", 1), ("a", 2)]), route(&[("a", 0)]), route(&[("", 1)])] {
        let when = given::<GatewayConfiguration>([provider_set()]).when(set_route("assistant", wrong.clone()));
        when.refuses_with(|refusal| matches!(refusal, GatewayRefusal::Route(_)), &format!("{wrong:?}"));
    }
    let when = given::<GatewayConfiguration>([provider_set()]).when(set_route("", route(&[("a", 1)])));
    when.refused(GatewayRefusal::RouteName);
}

#[test]
fn limits_and_prices_that_mean_nothing_are_refused() {
    let limit = |holder, id: Option<&str>, most| GatewayCommand::SetLimit {
        name: slug("few"),
        limit: GatewayLimit { holder, id: id.map(str::to_owned), most },
    };
    let requests = LimitMost::RequestsPerMinute { most: 1 };
    let endless = LimitMost::Money { most: Money(1), window_ms: 0 };
    for wrong in [limit(HolderKind::Tenant, Some("7"), requests), limit(HolderKind::Key, None, endless)] {
        let when = given::<GatewayConfiguration>([]).when(wrong);
        when.refuses_with(|refusal| matches!(refusal, GatewayRefusal::Limit(_)), "a limit");
    }
    let price = || GatewayPrice {
        provider: slug("fast"),
        model: "small".to_owned(),
        input: Money(1),
        cached_input: None,
        cache_write: None,
        output: Money(2),
    };
    for (currency, models) in [("usd", vec![price()]), ("USD", vec![price(), price()])] {
        let prices = Box::new(GatewayPrices { currency: currency.to_owned(), models });
        let when = given::<GatewayConfiguration>([]).when(GatewayCommand::SetPrices { prices });
        when.refuses_with(|refusal| matches!(refusal, GatewayRefusal::Prices(_)), currency);
    }
}
