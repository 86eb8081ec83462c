//! Cases of recorded inferences: what a model was given, and what it answered.

use timeloom_commands::RecordedCases;
use timeloom_domain::evaluation::InferenceSelection;
use timeloom_domain::evaluation_set::{CaseOrigin, EvaluationCase};
use timeloom_domain::ids::{Slug, TenantId};
use timeloom_domain::inference::{Tensor, TensorRecord};
use timeloom_inference_worker::{NotRead, read};
use timeloom_nodes::json_of_outputs;
use timeloom_store::LogError;

use super::backtest::{Case, recorded};
use crate::models::Models;

/// The cases of recorded inferences of a model, newest first. What is about a subject, was erased or was not kept is left out.
pub(in crate::models) async fn cases(
    models: &Models,
    tenant: TenantId,
    (model, selection): (&Slug, &InferenceSelection),
) -> Result<RecordedCases, LogError> {
    let to = models.inner.log.head();
    let mut made = RecordedCases::default();
    for case in recorded(models, tenant, to, (model, selection)).await? {
        made.take(case_of(models, tenant, case).await?);
    }
    Ok(made)
}

async fn case_of(models: &Models, tenant: TenantId, case: Case) -> Result<Option<EvaluationCase>, LogError> {
    let about = match case.request.execution {
        Some(execution) => models.commands().is_about_somebody(tenant, execution).await?,
        None => false,
    };
    if about || case.is_erased {
        return Ok(None);
    }
    let kept = async {
        Ok::<_, NotRead>((tensors(models, &case.request.inputs).await?, tensors(models, &case.answer.outputs).await?))
    };
    let Ok((inputs, outputs)) = kept.await else { return Ok(None) };
    Ok(Some(EvaluationCase {
        id: case.inference.to_string(),
        input: json_of_outputs(&inputs, false),
        expected: Some(json_of_outputs(&outputs, false)),
        from: CaseOrigin::Inference { inference: case.inference },
    }))
}

async fn tensors(models: &Models, records: &[TensorRecord]) -> Result<Vec<(String, Tensor)>, NotRead> {
    let mut tensors = Vec::with_capacity(records.len());
    for record in records {
        tensors.push((record.name.clone(), read(record, &*models.inner.blobs).await?));
    }
    Ok(tensors)
}
