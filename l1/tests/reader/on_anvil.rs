//! The scenario on anvil, where it is installed.

use holdfast_certificate::Address;
use holdfast_l1::{ChainRegistry, Error, check};

use super::{lifetime, scenario};
use crate::anvil::{Anvil, installed};

#[tokio::test(flavor = "multi_thread")]
async fn everything_on_anvil_with_osaka() {
    if let Some(program) = installed() {
        scenario::run(&Anvil::start(&program, "osaka").url).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_s_life_on_anvil_with_osaka() {
    if let Some(program) = installed() {
        lifetime::run(&Anvil::start(&program, "osaka").url).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_on_anvil_with_prague() {
    if let Some(program) = installed() {
        scenario::run(&Anvil::start(&program, "prague").url).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_s_life_on_anvil_with_prague() {
    if let Some(program) = installed() {
        lifetime::run(&Anvil::start(&program, "prague").url).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn anvil_before_prague_is_refused_for_its_lack_of_eip2537() {
    let Some(program) = installed() else { return };
    let anvil = Anvil::start(&program, "cancun");
    let error = ChainRegistry::connect(&anvil.url, Address::from([1; 20])).await.unwrap_err();
    assert!(matches!(error, Error::NoEip2537 { chain_id: 31337, .. }), "{error}");
    let report = check(&[&anvil.url], None, None).await;
    assert_eq!(report.nodes[0].eip2537, Some(false));
    assert!(report.nodes[0].client_version.as_ref().is_some_and(|version| version.contains("anvil")), "{report:?}");
}
