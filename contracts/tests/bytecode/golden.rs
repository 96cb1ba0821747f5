//! The golden vectors against the bytecode in the EVM, by the rules of each hard fork.

use revm::primitives::hardfork::SpecId;

use crate::{
    chain::Chain,
    vectors::{DEPLOYER, Golden, REGISTRY, START, constructor_arguments},
};

#[test]
fn every_golden_vector_on_prague_and_osaka() {
    let golden = Golden::load();
    assert!(golden.checks.len() > 400, "{} checks", golden.checks.len());
    for spec in [SpecId::PRAGUE, SpecId::OSAKA] {
        let mut chain = Chain::new(spec);
        chain.time = START;
        assert_eq!(chain.deploy_from(DEPLOYER, "CommitteeRegistry", &constructor_arguments()), REGISTRY);
        for step in &golden.steps {
            chain.time = step.time;
            let outcome = chain.send_bytes(step.from, REGISTRY, step.data.clone());
            assert!(outcome.success, "{}: {}", step.data, outcome.output);
        }
        for check in &golden.checks {
            let outcome = chain.call_bytes(REGISTRY, check.data.clone());
            assert!(outcome.success, "{}: {}", check.name, outcome.output);
            assert_eq!(outcome.output, check.expected, "{}: {}", check.name, check.data);
        }
    }
}
