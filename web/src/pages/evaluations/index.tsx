export { EvaluationSetsPage } from "./EvaluationSetsPage";
export { EvaluationSetPage } from "./EvaluationSetPage";
export { EvaluationPage } from "./EvaluationPage";
export { ComparisonPage } from "./ComparisonPage";
