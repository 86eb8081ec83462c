export { ModelsPage } from "./ModelsPage";
export { ModelPage } from "./ModelPage";
export { InferencePage } from "./InferencePage";
