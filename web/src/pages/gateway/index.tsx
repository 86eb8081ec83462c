export { GatewayPage } from "./GatewayPage";
export { ModelCallPage } from "./ModelCallPage";
