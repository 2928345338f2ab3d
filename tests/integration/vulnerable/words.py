# SPDX-License-Identifier: Apache-2.0
"""What people write into forms: names with apostrophes and from all over the world, sentences with the punctuation of people. Benign
traffic without them would make a learner look better than it is."""

FIRST = ["Anna", "Tom", "Zoë", "José", "Siobhán", "Marie-Claire", "李雷", "Иван", "Fatima", "Søren", "Ngọc", "Olga", "Max", "D'Arcy", "Björn",
         "Aisha", "Paolo", "Ewa", "Yuki", "Ólafur", "Chloé", "Ramón", "Kofi", "Priya"]
LAST = ["O'Brien", "Smith", "D'Angelo", "Müller", "van der Berg", "Nguyễn", "Петров", "García-Márquez", "O'Neill", "Jones", "Łukasz", "St. John",
        "Okafor", "Dvořák", "N'Diaye", "Takahashi", "Al-Sayed", "McDonald", "Ångström", "Li", "Quinn (jr.)", "Rossi"]
CITIES = ["Bern", "Oslo", "São Paulo", "Zürich", "'s-Hertogenbosch", "New York", "Kraków", "L'Aquila", "München", "St. Louis", "東京", "Reykjavík"]
COUNTRIES = ["Switzerland", "Norway", "Brazil", "Netherlands", "USA", "Poland", "Italy", "Germany", "Côte d'Ivoire", "Japan", "Iceland"]
THINGS = ["lamp", "blue shirt", "children's shoes", "garden chair (green)", "tea & biscuits", "3/4\" pipe", "rock'n'roll LP", "café au lait bowl",
          "men's coat, size L", "USB-C cable", "pencil #2", "50% wool scarf", "umbrella", "jar: honey", "dog's bowl", "Hammer"]
PARTS = ["it's late again", "thanks a lot!", "please call me (after 6 pm)", "the lamp is broken :-(", "I don't know why", "100% happy", "order #%d",
         "is it true?", "we'd like two; maybe three", "see you at 5 o'clock", "price < 20 EUR, please", "\"very good\", said my wife", "C'est la vie",
         "naïve question", "a/b or c?", "my e-mail is anna@mail.example", "see https://shop.example/faq?id=%d", "size = L", "5 * 3 are 15, not 16",
         "Grüße aus Köln", "пожалуйста", "ok", "no & no", "the children's room", "it costs $%d.50", "one - two -- three", "[urgent] answer soon",
         "50/50", "who's there", "I paid {nearly} all of it", "best, Max", "it was 7°C & raining"]
AGENTS = ["Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0",
          "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
          "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Safari/605.1.15",
          "shop-app/1.4", "curl/7.88.1"]


class Words:
    """All of it follows from the generator of random numbers."""

    def __init__(self, random):
        self.random = random

    def pick(self, values):
        return self.random.choice(values)

    def number(self, low, high):
        return self.random.randrange(low, high)

    def name(self):
        return f"{self.pick(FIRST)} {self.pick(LAST)}"

    def login(self):
        return self.pick(["tom", "anna", "j.smith", "marie-claire", "li", "olga_k", "zoe", "max.power", "o_brien"]) + \
            (str(self.number(1, 99)) if self.random.random() < 0.5 else "")

    def mail(self):
        return f"{self.login()}@{self.pick(['mail.example', 'post.example', 'o-brien.example'])}"

    def sentence(self):
        parts = [self.pick(PARTS) for _ in range(self.number(1, 5))]
        return ", ".join(part % self.number(1, 900) if "%d" in part else part for part in parts) + self.pick([".", "", "!", "..."])
