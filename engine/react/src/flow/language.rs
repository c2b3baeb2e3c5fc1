//! The flow language: Rhai, its limits, and what is taken out of it.
//!
//! Taken out: `eval` (a script that is not checked when it is saved), `import`,
//! `sleep` and clocks (a flow waits in its plan, and the same input gives the
//! same plan), shared values and `curry` (cycles of references that would never
//! be freed, and values that double with each call unseen by the size limits),
//! and `this` (what it is bound to would not be weighed, see `weight.rs`).

use super::{FlowLimits, functions};
use rhai::packages::{Package, StandardPackage};
use rhai::{Engine, OptimizationLevel};
use std::sync::Arc;

/// Everything that runs have in common.
pub(super) struct Language {
    limits: FlowLimits,
    standard: rhai::Shared<rhai::Module>,
    ours: rhai::Shared<rhai::Module>,
}

impl Language {
    pub(super) fn new(limits: FlowLimits) -> Arc<Self> {
        Arc::new(Self { limits, standard: StandardPackage::new().as_shared_module(), ours: functions::module().into() })
    }

    pub(super) fn limits(&self) -> &FlowLimits {
        &self.limits
    }

    /// A fresh engine: a few microseconds, for the functions are shared.
    pub(super) fn engine(&self) -> Engine {
        let limits = &self.limits;
        let mut engine = Engine::new_raw();
        // Later modules are searched first: ours stand before Rhai's.
        engine.register_global_module(self.standard.clone());
        engine.register_global_module(self.ours.clone());
        for symbol in ["eval", "curry", "this", "import", "export"] {
            engine.disable_symbol(symbol);
        }
        engine
            .set_optimization_level(OptimizationLevel::Simple)
            .set_max_operations(limits.operations)
            .set_max_call_levels(limits.calls)
            .set_max_expr_depths(limits.expressions, limits.expressions)
            .set_max_string_size(limits.string_bytes)
            .set_max_array_size(limits.array_items)
            .set_max_map_size(limits.map_fields)
            .set_max_variables(limits.variables)
            .set_max_functions(limits.functions);
        engine
    }
}
