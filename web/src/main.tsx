import { loadPageAt } from "./app/chunks";
import "./styles.css";

// A small file, so that the code of the page is asked for beside that of the app, and not behind it.
loadPageAt(location.pathname);
void import("./start");
