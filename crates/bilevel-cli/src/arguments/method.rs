//! The method and its settings, with the options of the catalogue.

use bilevel::catalogue::{MethodChoice, Setting, Settings};
use bilevel_tasks::cleaning::{Judge, JudgeChoice, MethodSpecification, TrainingSpecification};
use clap::builder::{PossibleValue, PossibleValuesParser, ValueParser};
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use crate::advice::spelled;
use crate::parse;

/// The settings of methods as options, without the method; `bilevel explain` lists the settings of each method.
#[derive(Clone, Debug, Default)]
pub(crate) struct MethodOptions(pub(crate) Settings);

/// The same with `--method`.
#[derive(Clone, Debug, Default)]
pub(crate) struct MethodArguments(pub(crate) Settings);

const METHOD: &str = "method";

impl Args for MethodOptions {
    fn augment_args(command: Command) -> Command {
        Setting::ALL
            .into_iter()
            .fold(command, |command, setting| command.arg(option(setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for MethodOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut options = Self::default();
        options.update_from_arg_matches(matches)?;
        Ok(options)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for setting in Setting::ALL {
            if let Some(text) = matches.get_one::<String>(setting.name()) {
                // The parser of the option has already accepted it.
                self.0.set(setting, text).map_err(|error| {
                    clap::Error::raw(clap::error::ErrorKind::ValueValidation, error)
                })?;
            }
        }
        Ok(())
    }
}

impl Args for MethodArguments {
    fn augment_args(command: Command) -> Command {
        let method = Arg::new(METHOD)
            .long(METHOD)
            .value_name("NAME")
            .help("Method, see bilevel methods [default: improved (bench: basic), unless --field or --adjoint selects another]")
            .value_parser(parse::method);
        MethodOptions::augment_args(command.arg(method))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for MethodArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut arguments = Self::default();
        arguments.update_from_arg_matches(matches)?;
        Ok(arguments)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let MethodOptions(mut settings) = MethodOptions::from_arg_matches(matches)?;
        settings.method = matches.get_one::<MethodChoice>(METHOD).copied();
        self.0 = settings;
        Ok(())
    }
}

/// The same for `clean`, where `--method` also names detectors.
#[derive(Clone, Debug, Default)]
pub(crate) struct JudgeArguments(pub(crate) MethodSpecification);

impl Args for JudgeArguments {
    fn augment_args(command: Command) -> Command {
        let names: Vec<&str> = Judge::names().skip(1).collect();
        let method = Arg::new(METHOD)
            .long(METHOD)
            .value_name("NAME")
            .help(format!(
                "Who judges the labels: auto (the detector that does best on trusted rows), a detector ({}), or a method of learned weights, see bilevel methods. With auto, the options of learned weights apply to those that stand beside the detectors [default: auto]",
                names.join(", ")
            ))
            .value_parser(parse::judge);
        MethodOptions::augment_args(command.arg(method))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for JudgeArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut arguments = Self::default();
        arguments.update_from_arg_matches(matches)?;
        Ok(arguments)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let MethodOptions(mut weights) = MethodOptions::from_arg_matches(matches)?;
        let mut judge = Judge::default();
        if let Some(&JudgeChoice(named, method)) = matches.get_one(METHOD) {
            judge = named;
            weights.method = method;
        }
        self.0 = MethodSpecification { judge, weights };
        Ok(())
    }
}

/// A setting of the catalogue as an option.
fn option(setting: Setting) -> Arg {
    let about = setting.about();
    let default = about
        .default
        .map_or_else(String::new, |default| format!(" [default: {default}]"));
    let parser = if about.values.is_empty() {
        ValueParser::new(move |text: &str| {
            Settings::default()
                .set(setting, text)
                .map(|()| text.to_owned())
                .map_err(|error| parse::message(&error))
        })
    } else {
        let values = about.values.iter();
        PossibleValuesParser::new(values.map(|&(name, doc)| PossibleValue::new(name).help(doc)))
            .into()
    };
    let name = spelled(about.name);
    Arg::new(about.name)
        .long(name.trim_start_matches('-').to_owned())
        .value_name(about.value)
        .help(format!("{}{default}", about.doc))
        .allow_negative_numbers(true)
        .value_parser(parser)
}

impl From<&TrainingArguments> for TrainingSpecification {
    /// With the model softmax.
    fn from(arguments: &TrainingArguments) -> Self {
        Self {
            batch: arguments.batch,
            trusted_batch: arguments.trusted_batch,
            weight_decay: arguments.weight_decay,
            ..Self::default()
        }
    }
}

/// The other settings of training.
#[derive(Args, Debug)]
pub(crate) struct TrainingArguments {
    /// Training rows in each inner step [default: all]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::positive_count)]
    pub(crate) batch: Option<usize>,
    /// Trusted rows in each evaluation of the outer objective [default: all]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse::positive_count)]
    pub(crate) trusted_batch: Option<usize>,
    /// D of D‖y‖²/2, which is added to the inner loss
    #[arg(long, value_name = "D", default_value = "0", allow_negative_numbers = true, value_parser = parse::non_negative)]
    pub(crate) weight_decay: f64,
}
