"""The main job: sample (or read), train, judge and draw one experiment. Finished stages are skipped."""

from vae_mf.commands.train import main

if __name__ == "__main__":
    main()
