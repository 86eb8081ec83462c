import { describe, expect, it } from "vitest";
import { csvLine } from "./csv";

describe("CSV", () => {
  it("quotes what would end a cell or a row", () => {
    expect(csvLine(["a", 'say "hi"', "x,y", "two\nlines", 5, null, { a: 1 }])).toBe(
      'a,"say ""hi""","x,y","two\nlines",5,,"{""a"":1}"\r\n',
    );
  });

  it("keeps spreadsheets from running what somebody wrote", () => {
    expect(csvLine(["=HYPERLINK(1)", "-5", "+1.5", "@cmd", "-x"])).toBe("'=HYPERLINK(1),-5,+1.5,'@cmd,'-x\r\n");
  });
});
