import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { expect, it } from "vitest";
import { Combobox } from "./Combobox";

const CHOICES = ["any", "Europe/Berlin", "Europe/Paris"].map((value) => ({ value, label: value }));

interface OfField {
  initial: string;
  isFree?: boolean;
  choices?: typeof CHOICES;
}

function Field({ initial, isFree, choices = CHOICES }: OfField) {
  const [value, setValue] = useState(initial);
  return (
    <>
      <Combobox value={value} choices={choices} isFree={isFree} onChange={setValue} />
      <output>{value}</output>
    </>
  );
}

const options = () => screen.queryAllByRole("option").map((option) => option.textContent);
const value = () => screen.getByRole("status").textContent;

it("shows what there is when it is pressed, and stays as it is when it is left", async () => {
  const user = userEvent.setup();
  render(<Field initial="Europe/Paris" isFree />);
  await user.click(screen.getByRole("combobox"));
  expect(options()).toEqual(["any", "Europe/Berlin", "Europe/Paris"]);
  expect(screen.getByRole("combobox")).toHaveProperty("value", "Europe/Paris");
  await user.tab();
  expect(options()).toEqual([]);
  expect(value()).toBe("Europe/Paris");
});

it("begins at the present choice, and takes another one by keys or by a press", async () => {
  const user = userEvent.setup();
  render(<Field initial="Europe/Berlin" />);
  await user.tab();
  await user.keyboard("{ArrowDown}{ArrowDown}{Enter}");
  expect(value()).toBe("Europe/Paris");
  await user.click(screen.getByRole("combobox"));
  await user.click(screen.getByRole("option", { name: "any" }));
  expect(value()).toBe("any");
  expect(options()).toEqual([]);
});

it("takes what is written where it may, and lets go of it otherwise", async () => {
  const user = userEvent.setup();
  render(<Field initial="any" isFree />);
  await user.clear(screen.getByRole("combobox"));
  await user.type(screen.getByRole("combobox"), "Mars");
  await user.tab();
  expect(value()).toBe("Mars");
});

it("keeps its choice when what is written is none", async () => {
  const user = userEvent.setup();
  render(<Field initial="any" />);
  await user.type(screen.getByRole("combobox"), "Mars");
  await user.tab();
  expect(value()).toBe("any");
  expect(screen.getByRole("combobox")).toHaveProperty("value", "any");
});

it("shows the present choice among very many, so that Enter keeps it", async () => {
  const many = Array.from({ length: 500 }, (_, place) => ({ value: `zone ${place}`, label: `zone ${place}` }));
  const user = userEvent.setup();
  render(<Field initial="zone 400" choices={many} />);
  await user.tab();
  await user.keyboard("{ArrowDown}");
  expect(options()[0]).toBe("zone 400");
  await user.keyboard("{Enter}");
  expect(value()).toBe("zone 400");
});
