// Draws the icons of the installed app from public/icons/timeloom.svg, in a browser without a window: `npm run icons`.
import { readFileSync } from "node:fs";
import { chromium } from "@playwright/test";

const folder = new URL("../public/icons/", import.meta.url).pathname;
const mark = readFileSync(`${folder}timeloom.svg`, "utf8");
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
for (const [name, size, isMaskable] of [
  ["timeloom-192", 192, false],
  ["timeloom-512", 512, false],
  ["timeloom-maskable-512", 512, true],
]) {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  const inner = isMaskable ? 72 : 100;
  const style = `margin:0;display:grid;place-items:center;height:100vh;background:${isMaskable ? "#4a4fd1" : "transparent"}`;
  await page.setContent(`<body style="${style}"><div style="width:${inner}%">${mark}</div></body>`);
  await page.screenshot({ path: `${folder}${name}.png`, omitBackground: true });
  await page.close();
}
await browser.close();
