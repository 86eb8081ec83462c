export { Refusal } from "@/parts/Refusal";
