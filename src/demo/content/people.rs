//! Names from many places, and the user names and addresses people make of them. No two people of one crowd
//! share either.

use std::collections::HashSet;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use unicode_normalization::UnicodeNormalization;

use super::voice::{chance, one_of, pick};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub first_name: String,
    pub last_name: String,
    pub username: String,
    pub email: String,
}

/// Everybody met so far; hands out people whose user name and address nobody before them has.
#[derive(Default)]
pub struct Crowd {
    usernames: HashSet<String>,
    emails: HashSet<String>,
}

/// Leaves room for a number under the 32 characters a user name may have.
const STEM_MAX: usize = 24;

/// First and last names that occur together.
const CULTURES: &[(&str, &str)] = &[
    (
        "Amelia|Oliver|Grace|Harry|Imogen|Callum|Beatrice|Rory|Nell|Duncan|Isla|Toby|Freya|Alistair|Poppy|Miles|Edith|Owen",
        "Whitfield|Ashworth|Campbell|Fletcher|Hargreaves|Lockwood|MacLeod|Pemberton|Sinclair|Thornton|Webster|Barlow|\
      Carmichael|Draper|Ellwood|Kirby|Marsden|Prescott",
    ),
    (
        "Chloé|Étienne|Amélie|Benoît|Hélène|Jérôme|Maëlle|Loïc|Zoé|François|Inès|Rémi|Céline|Théo|Noémie|Cédric|Margaux|Luc",
        "Lefèvre|Moreau|Bélanger|Dubois|Garnier|Côté|Rousseau|Mercier|Faure|Lemaître|Chevalier|Renaud|Gauthier|Perrot|Marchand|\
      Brunet|Desrosiers|Blanchard",
    ),
    (
        "Jürgen|Anke|Björn|Käthe|Lukas|Greta|Matthias|Sabine|Jörg|Ulrike|Felix|Annika|Günther|Leonie|Tobias|Mareike|Sören|Heike",
        "Müller|Schröder|Weiß|Köhler|Brandt|Lindner|Vogel|Krüger|Hartmann|Böhm|Albrecht|Jäger|Seidel|Winkler|Großmann|Pfeiffer|\
      Engel|Schäfer",
    ),
    (
        "Lucía|Álvaro|Inés|Martín|Sofía|Andrés|Begoña|Íñigo|Rocío|Joaquín|Noa|Raúl|Maite|Sergio|Ángela|Hugo|Carmen|Nicolás",
        "García|Fernández|Muñoz|Ibáñez|Ortega|Núñez|Vázquez|Peña|Herrero|Domínguez|Castaño|Giménez|Prieto|Rincón|Sáez|Montoya|\
      Cifuentes|Rivas",
    ),
    (
        "João|Beatriz|Tomás|Mariana|Gonçalo|Inês|Thiago|Luísa|Vinícius|Letícia|Caio|Antônia|Rúben|Débora|Mateus|Íris|Otávio|Lívia",
        "Almeida|Conceição|Guimarães|Magalhães|Araújo|Simões|Figueiredo|Brandão|Moura|Antunes|Falcão|Barbosa|Queirós|Teixeira|\
      Nogueira|Leitão|Cardoso|Pacheco",
    ),
    (
        "Giulia|Matteo|Chiara|Niccolò|Alessia|Davide|Ilaria|Lorenzo|Beatrice|Pietro|Serena|Edoardo|Noemi|Tommaso|Elisa|Marco",
        "Bianchi|Esposito|Galli|De Luca|Marchetti|Rinaldi|Fontana|Caruso|Barbieri|Moretti|Santoro|D'Angelo|Pellegrini|Villa|\
      Monti|Ferraro|Leone|Grassi",
    ),
    (
        "Agnieszka|Łukasz|Małgorzata|Wojciech|Zofia|Paweł|Kinga|Michał|Ewa|Stanisław|Hanna|Bartłomiej|Jagoda|Rafał|Iga|Kamil",
        "Kowalczyk|Wiśniewska|Dąbrowska|Zieliński|Wójcik|Szymańska|Woźniak|Kozłowska|Jankowski|Mazur|Pawłowska|Król|Wróbel|\
      Stępień|Górska|Bąk",
    ),
    (
        "Eliška|Ondřej|Zuzana|Jiří|Markéta|Matěj|Tereza|Štěpán|Lenka|Vojtěch|Ľubica|Tomáš|Barbora|Dušan|Katarína|Radek",
        "Novák|Dvořáková|Svoboda|Němec|Horáková|Růžička|Kučera|Benešová|Král|Pospíšil|Šimková|Hájek|Kováč|Urbanová|Čermák|Malá",
    ),
    (
        "Ingrid|Lars|Åsa|Øyvind|Sigrid|Mikkel|Maja|Søren|Linnéa|Håkon|Freja|Rasmus|Tuva|Anders|Signe|Jørgen|Björk|Einar",
        "Lindqvist|Østergaard|Hansen|Sjöberg|Nygård|Dahl|Bergström|Kjær|Holm|Haugen|Åkesson|Lund|Møller|Strand|Ekström|Thorsen|\
      Sandvik|Sigurðsson",
    ),
    (
        "Aino|Väinö|Elina|Mikko|Sanni|Jukka|Päivi|Antti|Kaisa|Eero|Kertu|Mart|Liis|Jaan|Ilze|Jānis|Rūta|Žygimantas",
        "Mäkinen|Korhonen|Virtanen|Hämäläinen|Laine|Niemi|Tamm|Kask|Saar|Pärn|Ozols|Bērziņš|Kazlauskas|Petrauskaitė|Lehtonen|\
      Rantanen",
    ),
    (
        "Eleni|Nikos|Katerina|Stavros|Daphne|Giorgos|Ioanna|Petros|Ayşe|Çağlar|Zeynep|Emre|Gülşen|Ozan|Elif|Barış|Iştar|Kerem",
        "Papadakis|Georgiou|Nikolaidis|Vlahos|Economou|Makris|Yılmaz|Öztürk|Şahin|Aydın|Çelik|Doğan|Koç|Erdoğmuş|Güneş|Kaplan",
    ),
    (
        "Oksana|Andriy|Iryna|Taras|Solomiya|Bohdan|Mila|Dragan|Jelena|Goran|Anđela|Nikola|Željko|Ivana|Luka|Petra|Ștefan|Ioana",
        "Shevchuk|Kovalenko|Melnyk|Bondar|Tkachenko|Petrović|Jovanović|Kovačević|Marić|Babić|Đorđević|Horvat|Popescu|Ionescu|\
      Dumitru|Țurcanu",
    ),
    (
        "Aisha|Omar|Layla|Yusuf|Noor|Karim|Salma|Tariq|Rania|Hassan|Dalia|Bilal|Hana|Samir|Yara|Idris|Mariam|Ziad",
        "Haddad|Mansour|El-Sayed|Khoury|Nasser|Rahman|Benali|Farouk|Aziz|Tahir|Saleh|Qureshi|Darwish|Al-Masri|Bouzid|Zaki",
    ),
    (
        "Amara|Chidi|Ngozi|Kwame|Efua|Tunde|Adaeze|Kofi|Wanjiru|Juma|Zanele|Sipho|Abebe|Makena|Olumide|Thandiwe|Fatou|Mamadou",
        "Okafor|Mensah|Adeyemi|Owusu|Kamau|Mwangi|Dlamini|Nkosi|Tesfaye|Diallo|Eze|Boateng|Otieno|Ndiaye|Balogun|Mokoena|Achieng|Sow",
    ),
    (
        "Priya|Arjun|Meera|Rohan|Kavya|Vikram|Ananya|Sanjay|Divya|Imran|Lakshmi|Nikhil|Ishita|Farhan|Tara|Dev|Nisha|Kabir",
        "Sharma|Iyer|Banerjee|Reddy|Chaudhary|Menon|Patel|Kulkarni|Bose|Nair|Gupta|Perera|Hussain|Rao|Malhotra|Joshi|Das|Fernando",
    ),
    (
        "Mei|Wei|Yuki|Haruto|Ji-woo|Min-jun|Linh|Đức|Hương|Xiu|Sakura|Kenji|Soo-jin|Thảo|Jun|Aiko|Ha-eun|Quân",
        "Chen|Li|Tanaka|Sato|Kim|Park|Nguyễn|Trần|Zhang|Lin|Watanabe|Choi|Phạm|Wu|Kobayashi|Jung|Đặng|Huang",
    ),
    (
        "Maria|Jose|Althea|Rizal|Dewi|Budi|Siti|Agus|Putri|Amir|Kanya|Somchai|Nurul|Bayu|Corazon|Ramon|Malee|Arif",
        "Santos|Reyes|Dela Cruz|Bautista|Wijaya|Hartono|Pratama|Lestari|Ismail|Suryadi|Wongsakul|Chaiyasit|Villanueva|Mendoza|\
      Kusuma|Halim",
    ),
    (
        "Valentina|Mateo|Camila|Santiago|Ximena|Emiliano|Renata|Joaquín|Catalina|Bautista|Aroha|Tāne|Moana|Wiremu|Keala|Itzel",
        "Ramírez|Gutiérrez|Quispe|Mamani|Peralta|Acosta|Bolívar|Cárdenas|Salcedo|Villalobos|Ngata|Parata|Kahale|Rojas|Zúñiga|Luna",
    ),
];

impl Crowd {
    pub fn newcomer(&mut self, rng: &mut ChaCha8Rng) -> Person {
        let (first_names, mut last_names) = pick(rng, CULTURES);
        if chance(rng, 12) {
            last_names = pick(rng, CULTURES).1;
        }
        let (first_name, last_name) = (one_of(rng, first_names), one_of(rng, last_names));
        let (first, last) = (plain(first_name), plain(last_name));
        Person {
            first_name: first_name.to_owned(),
            last_name: last_name.to_owned(),
            username: self.username(rng, &first, &last),
            email: self.email(rng, &first, &last),
        }
    }

    fn username(&mut self, rng: &mut ChaCha8Rng, first: &str, last: &str) -> String {
        let initial = &first[..1];
        let mut stem = match rng.random_range(0..8) {
            0 | 1 => format!("{first}.{last}"),
            2 => format!("{first}_{last}"),
            3 => format!("{first}{last}"),
            4 => format!("{initial}{last}"),
            5 => format!("{initial}-{last}"),
            6 => format!("{last}.{first}"),
            _ => format!("{first}-{}", one_of(rng, "studio|works|works|creates|makes|online|desk|freelance")),
        };
        stem.truncate(STEM_MAX);
        if chance(rng, 20) {
            stem.push_str(&rng.random_range(70..100).to_string());
        }
        first_free(&mut self.usernames, &folded, |number| numbered(&stem, number))
    }

    fn email(&mut self, rng: &mut ChaCha8Rng, first: &str, last: &str) -> String {
        let stem = match rng.random_range(0..4) {
            0 | 1 => format!("{first}.{last}"),
            2 => format!("{}{last}", &first[..1]),
            _ => format!("{first}{last}"),
        };
        let host = pick(rng, &["example.com", "example.org", "example.net"]);
        first_free(&mut self.emails, &str::to_owned, |number| format!("{}@{host}", numbered(&stem, number)))
    }
}

/// The first of the candidates 1, 2, 3, … whose key nobody has taken; takes it.
fn first_free(
    taken: &mut HashSet<String>,
    key: &dyn Fn(&str) -> String,
    candidate: impl Fn(u32) -> String,
) -> String {
    let mut number = 1;
    loop {
        let name = candidate(number);
        if taken.insert(key(&name)) {
            return name;
        }
        number += 1;
    }
}

fn numbered(stem: &str, number: u32) -> String {
    if number == 1 { stem.to_owned() } else { format!("{stem}{number}") }
}

/// Stricter than letter case alone: names that differ only in punctuation would be taken for one another.
fn folded(username: &str) -> String {
    username.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// The lower-case ASCII letters somebody types for a name with accents.
fn plain(name: &str) -> String {
    let mut typed = String::with_capacity(name.len());
    for letter in name.to_lowercase().nfd() {
        match letter {
            'ß' => typed.push_str("ss"),
            'æ' => typed.push_str("ae"),
            'ø' => typed.push('o'),
            'ł' => typed.push('l'),
            'đ' | 'ð' => typed.push('d'),
            'þ' => typed.push_str("th"),
            'ı' => typed.push('i'),
            'a'..='z' => typed.push(letter),
            _ => {}
        }
    }
    typed
}
